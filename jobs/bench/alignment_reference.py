"""Alignments by pocketsphinx's English model, trained on far more speech than the demo has: a reference."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pocketsphinx import Decoder

from ssl_asr.corpus.audio import read_audio
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH, SILENCE_ID
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.progress import Progress
from ssl_asr.store.utterance import Utterance

RATE = 16000
DITHER = 1e-4  # of full scale: digital silence gives no finite cepstra
# Each is tried where the one before finds no path. Without the lattice search a last word of one frame is avoided.
BEAMS: Sequence[Mapping[str, float]] = tuple(
    dict.fromkeys(("beam", "wbeam", "pbeam"), beam) for beam in (1e-48, 1e-80, 1e-200)
)


@dataclass(frozen=True)
class PhonePath:
    """Phones in their order, of cmudict's, no two silences in a row, and how many 10 ms frames each of them lasts."""

    phones: npt.NDArray[np.int32]
    frames: npt.NDArray[np.int32]


def reference(spoken: Sequence[Utterance], lexicon: Lexicon, kept: Path | None) -> dict[str, PhonePath]:
    """The paths of `spoken` by id, without those that the model can't align; read from `kept` as far as it has them.

    What is missing there is appended to it. ValueError where the run's phones are not the model's.
    """
    if lexicon.phones != ENGLISH:
        raise ValueError("the run has other phones than pocketsphinx's model; give one with hmm.lexicon=english")
    known = _read(kept) if kept is not None and kept.exists() else {}
    missing = [each for each in spoken if each.id not in known]
    if missing:
        made = dict(_align(missing, lexicon))
        if kept is not None:
            with kept.open("a") as file:
                file.writelines(_line(name, path) for name, path in made.items())
        known |= made
    return {each.id: known[each.id] for each in spoken if each.id in known}


def _align(spoken: Sequence[Utterance], lexicon: Lexicon) -> Iterable[tuple[str, PhonePath]]:
    progress = Progress("reference", len(spoken), "utterances")
    with tempfile.TemporaryDirectory() as folder:
        words, silences = Path(folder, "words"), Path(folder, "silences")
        words.write_text(_dictionary(lexicon))
        silences.write_text("<s> SIL\n</s> SIL\n<sil> SIL\n")
        models = [
            Decoder(
                samprate=RATE,
                lm=None,
                dict=str(words),
                fdict=str(silences),
                bestpath=False,
                loglevel="FATAL",
                **beams,
            )
            for beams in BEAMS
        ]
    for each in spoken:
        progress.advance()
        path = _path(models, each)
        if path is not None:
            yield each.id, path


def _path(models: Sequence[Decoder], spoken: Utterance) -> PhonePath | None:
    recorded = read_audio(spoken.audio, spoken.offset, spoken.duration, spoken.channel, RATE)
    audio = recorded + np.random.default_rng(0).normal(0, DITHER, len(recorded))
    samples = (np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes()
    for model in models:
        try:
            model.set_align_text(A_TO_Z.normalise(spoken.text or ""))
            _process(model, samples)
            if model.hyp() is None:
                continue
            model.set_alignment()  # the second pass, in which phones get times
            _process(model, samples)
            return _joined([(phone.name, phone.duration) for word in model.get_alignment() for phone in word])
        except RuntimeError:
            continue
    return None


def _process(model: Decoder, samples: bytes) -> None:
    model.start_utt()
    model.process_raw(samples, full_utt=True)
    model.end_utt()


def _joined(phones: Iterable[tuple[str, int]]) -> PhonePath:
    joined: list[list[int]] = []
    for name, frames in phones:
        number = ENGLISH.ids[name]
        if joined and number == joined[-1][0] == SILENCE_ID:
            joined[-1][1] += frames
        else:
            joined.append([number, frames])
    numbers, frames_ = np.array(joined, np.int32).reshape(-1, 2).T
    return PhonePath(numbers, frames_)


def _dictionary(lexicon: Lexicon) -> str:
    return "".join(
        f"{word}{f'({number})' if number > 1 else ''} {' '.join(phones)}\n"
        for word, all_of_word in lexicon.pronunciations.items()
        for number, phones in enumerate(all_of_word, 1)
    )


def _line(name: str, path: PhonePath) -> str:
    return json.dumps({"id": name, "phones": path.phones.tolist(), "frames": path.frames.tolist()}) + "\n"


def _read(kept: Path) -> dict[str, PhonePath]:
    rows = map(json.loads, kept.read_text().splitlines())
    return {row["id"]: PhonePath(np.array(row["phones"]), np.array(row["frames"])) for row in rows}
