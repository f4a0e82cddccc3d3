"""When each phone of an utterance was spoken, by an alignment made elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.lang.phones import SILENCE_ID, PhoneSet

# Silence in Kaldi's recipes, in HTK and in the Montreal Forced Aligner, and Kaldi's noise that nobody speaks.
_SILENCES, _NOISE = ("SIL", "SP"), "NSN"
_UNKNOWN_WORD = "SPN"  # what Kaldi and the Montreal Forced Aligner pronounce a word with that their lexicon lacks
_POSITION = re.compile(r"_[BIES]$")
_STRESS = re.compile(r"(?<=[A-Z])[012]$")
# An alignment may be shorter or longer than the features by this many frames of 10 ms: others frame the audio
# differently. Kaldi makes two frames less of the same audio with --snip-edges=true, its default.
MOST_FRAMES_OFF = 5

# What frames of the audio are that the alignment lacks: half of them lie before it and half behind; they belong to
# its last phone; or they are silence, however many, since silence behind the last phone is not listed.
Rest = Literal["edges", "last", "silence"]
# Why an alignment is not used: it is of other audio or of other words, it has words of unknown pronunciation, or it
# makes no sense.
Unused = Literal["other_length", "other_phones", "unknown_words", "unreadable"]


@dataclass(frozen=True)
class Unusable:
    """Why an imported alignment is not used, for a person in `reason`."""

    kind: Unused
    reason: str


@dataclass(frozen=True)
class PhoneTimes:
    """`phones` uint8 [N] are numbers in the run's set of phones.

    `ends` int32 [N] are the 10 ms frames before which each of them ends.
    """

    phones: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int32]
    rest: Rest = "last"

    @property
    def num_frames(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def states(self) -> npt.NDArray[np.int32]:
        """The state of each frame [num_frames]. A third of a phone is one of its three states."""
        lengths = np.diff(self.ends, prepend=0)
        first = np.repeat(self.ends - lengths, lengths)
        frames = np.arange(self.num_frames)
        place = STATES_PER_PHONE * (2 * (frames - first) + 1) // (2 * np.repeat(lengths, lengths))
        return (np.repeat(self.phones.astype(np.int32), lengths) * STATES_PER_PHONE + place).astype(np.int32)

    def fitted(self, num_frames: int) -> PhoneTimes | Unusable:
        """The times of audio of so many frames, or why they are not of this audio."""
        missing = num_frames - self.num_frames
        too_short = missing > MOST_FRAMES_OFF and self.rest != "silence"
        if missing < -MOST_FRAMES_OFF or too_short or not len(self.ends):
            return Unusable(
                "other_length",
                f"its imported alignment has {self.num_frames} frames of 10 ms, but its audio {num_frames}; align "
                "the same audio, at 10 ms a frame",
            )
        phones, ends = self.phones, self.ends + (max(missing, 0) // 2 if self.rest == "edges" else 0)
        if self.rest == "silence" and missing > 0:
            phones, ends = np.append(phones, np.uint8(SILENCE_ID)), np.append(ends, np.int32(num_frames))
        ends = np.minimum(ends, num_frames).astype(np.int32)
        ends[-1] = num_frames
        return joined_silences(phones, ends)


def known_phone(symbol: str, phones: PhoneSet) -> int | Unusable:
    """Which of `phones` the symbol is, whatever its position in the word and, if need be, case and stress.

    Or why it is none.
    """
    spelled = next((name for name in (symbol, _POSITION.sub("", symbol)) if name in phones.ids), None)
    if spelled is not None:
        return phones.ids[spelled]
    bare = _bare(symbol)
    if is_silence(symbol) or bare == _NOISE:
        return SILENCE_ID
    if bare == _UNKNOWN_WORD:
        return Unusable(
            "unknown_words",
            f"its imported alignment has {symbol}, which stands for a word that the lexicon of the aligner lacks; "
            "add the word there",
        )
    if bare not in phones.ids:
        return Unusable(
            "unreadable",
            f"its imported alignment has the phone '{symbol}', which is neither silence "
            f"({', '.join((*_SILENCES, _NOISE))}) nor one of the run's lexicon: {' '.join(phones.names[1:])}; map "
            "it to one of these",
        )
    return phones.ids[bare]


def is_silence(symbol: str) -> bool:
    """Whether it stands for silence, and not for noise."""
    return _bare(symbol) in _SILENCES


def joined_silences(
    phones: Sequence[int] | npt.NDArray[np.uint8], ends: Sequence[int] | npt.NDArray[np.int32], rest: Rest = "last"
) -> PhoneTimes:
    """With silences that follow each other as one, and without phones that have no frame."""
    given, until = np.array(phones, np.uint8), np.array(ends, np.int32)
    heard = np.diff(until, prepend=0) > 0
    given, until = given[heard], until[heard]
    silent = given == SILENCE_ID
    lasts = np.ones(len(given), bool)
    lasts[:-1] = ~(silent[:-1] & silent[1:])
    return PhoneTimes(given[lasts], until[lasts], rest)


def _bare(symbol: str) -> str:
    return _STRESS.sub("", _POSITION.sub("", symbol.upper()))
