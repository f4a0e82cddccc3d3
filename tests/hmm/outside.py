"""Alignments as other toolkits write them."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import kaldiio
import numpy as np

from ssl_asr.hmm.kaldi_model import read_transitions
from ssl_asr.lang.questions import ENGLISH_QUESTIONS

FILES = Path(__file__).parent / "kaldi"
SILENCES = ("SIL", "SPN")  # that the model has five states for
# Phones and how many frames of 10 ms each of them lasts.
Spoken = Sequence[tuple[str, int]]


def copy_model(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("final.mdl", "phones.txt"):
        shutil.copy(FILES / name, folder)


def write_archive(file: Path, vectors: Mapping[str, np.ndarray]) -> None:
    with gzip.open(file, "wb") as stream:
        kaldiio.save_ark(stream, dict(vectors))


def path_of(spoken: Spoken) -> np.ndarray:
    """Transition ids [frames]: of a state one after the other, at positions in the word in turn."""
    transitions = read_transitions(FILES / "final.mdl")
    numbers = {name: int(number) for name, number in map(str.split, (FILES / "phones.txt").read_text().splitlines())}
    generator, ids = np.random.default_rng(0), list[int]()
    for place, (phone, frames) in enumerate(spoken):
        number = numbers[_symbol(phone, place)]
        if phone in SILENCES:  # its inner states in any order
            states = np.concatenate([[0], generator.integers(1, 4, max(frames - 2, 0)), [4]])[-frames:]
        else:
            states = np.arange(frames) * 3 // frames if frames > 2 else np.arange(frames)
        for state in states.tolist():
            known = np.flatnonzero((transitions.phones == number) & (transitions.states == state))
            ids.append(int(generator.choice(known)))
    return np.array(ids, np.int32)


def ctm_lines(name: str, spoken: Spoken, *, silences: bool = True) -> list[str]:
    lines, begin = [], 0
    for place, (phone, frames) in enumerate(spoken):
        if silences or phone != "SIL":
            lines.append(f"{name} 1 {begin / 100:.2f} {frames / 100:.2f} {_symbol(phone, place)}")
        begin += frames
    return lines


def _symbol(phone: str, place: int) -> str:
    if phone in SILENCES:
        return phone
    return f"{phone}{'1' if phone in ENGLISH_QUESTIONS['vowel'] else ''}_{'BIES'[place % 4]}"
