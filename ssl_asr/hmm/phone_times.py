"""When each phone of an utterance was spoken, by an alignment made elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.lang.phones import PHONE_IDS, PHONES, SILENCE

# Names of silence and noise in Kaldi's recipes, in HTK and in the Montreal Forced Aligner.
_SILENCES = ("SIL", "SP", "SPN", "NSN")
_POSITION = re.compile(r"_[BIES]$")
_STRESS = re.compile(r"(?<=[A-Z])[012]$")
# An alignment may be shorter or longer than the features by this many frames of 10 ms: others frame the audio
# differently. Kaldi makes two frames less of the same audio with --snip-edges=true, its default.
MOST_FRAMES_OFF = 5

# What frames of the audio are that the alignment lacks: half of them lie before it and half behind; they belong to
# its last phone; or they are silence, however many, since the alignment lists no silence at all.
Rest = Literal["edges", "last", "silence"]


@dataclass(frozen=True)
class PhoneTimes:
    """`phones` uint8 [N] are ids of PHONES, `ends` int32 [N] the 10 ms frames before which each of them ends."""

    phones: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int32]
    rest: Rest = "last"

    def states(self, num_frames: int) -> npt.NDArray[np.int32] | str:
        """The state of each frame [num_frames], or a sentence that says why the times don't fit so many frames.

        A third of a phone is one of its three states.
        """
        found = self._in_frames(num_frames)
        if isinstance(found, str):
            return found
        lengths = np.diff(found.ends, prepend=0)
        first = np.repeat(found.ends - lengths, lengths)
        place = STATES_PER_PHONE * (2 * (np.arange(num_frames) - first) + 1) // (2 * np.repeat(lengths, lengths))
        return (np.repeat(found.phones.astype(np.int32), lengths) * STATES_PER_PHONE + place).astype(np.int32)

    def _in_frames(self, num_frames: int) -> PhoneTimes | str:
        length = int(self.ends[-1]) if len(self.ends) else 0
        missing = num_frames - length
        if missing < -MOST_FRAMES_OFF or (missing > MOST_FRAMES_OFF and self.rest != "silence") or not length:
            return (
                f"its imported alignment has {length} frames of 10 ms, but its audio {num_frames}; align the same "
                "audio, at 10 ms a frame, or take this utterance out of the alignments"
            )
        times = self
        if self.rest == "silence" and missing > 0:
            silence = PHONE_IDS[SILENCE]
            times = replace(
                self, phones=np.append(self.phones, silence).astype(np.uint8), ends=np.append(self.ends, 0)
            )
        ends = times.ends + (max(missing, 0) // 2 if self.rest == "edges" else 0)
        ends = np.minimum(ends, num_frames)
        ends[-1] = num_frames
        return replace(times, ends=ends)


def phone_id(symbol: str) -> int | None:
    """Which of PHONES the symbol is, without its position in the word and its stress; None if it is none."""
    bare = _STRESS.sub("", _POSITION.sub("", symbol.upper()))
    return PHONE_IDS[SILENCE] if bare in _SILENCES else PHONE_IDS.get(bare)


def known_phone(symbol: str, where: str) -> int:
    """As `phone_id`; ValueError if it is none."""
    found = phone_id(symbol)
    if found is None:
        raise ValueError(
            f"{where} has the phone '{symbol}', which is neither silence ({', '.join(_SILENCES)}) nor one of "
            f"cmudict's: {' '.join(PHONES[1:])}; map it to one of these there, or unset hmm.alignments"
        )
    return found


def joined_silences(phones: Sequence[int], ends: Sequence[int], rest: Rest) -> PhoneTimes:
    """With silences that follow each other as one, and without phones that have no frame."""
    given, until = np.array(phones, np.uint8), np.array(ends, np.int32)
    heard = np.diff(until, prepend=0) > 0
    given, until = given[heard], until[heard]
    silent = given == PHONE_IDS[SILENCE]
    lasts = np.ones(len(given), bool)
    lasts[:-1] = ~(silent[:-1] & silent[1:])
    return PhoneTimes(given[lasts], until[lasts], rest)
