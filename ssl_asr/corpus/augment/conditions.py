"""Which simulated conditions the utterances of a split appear in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ssl_asr.corpus.augment.noise import check_condition, noise_kind
from ssl_asr.corpus.augment.speed import speed_of
from ssl_asr.corpus.seeding import fraction
from ssl_asr.recipe import Corpus
from ssl_asr.store.copies import copy_id
from ssl_asr.store.utterance import CLEAN

_EVALUATED = {"dev": "dev_conditions", "test": "test_conditions"}  # splits whose utterances appear in all conditions


def check_conditions(corpus: Corpus) -> None:
    """ValueError naming the recipe's key if a condition is unknown or dev or test has no clean speech."""
    for key in ("train_conditions", *_EVALUATED.values()):
        for name in getattr(corpus, key):
            try:
                check_condition(name)
            except ValueError as error:
                raise ValueError(f"corpus.{key}: {error}") from None
    for key in _EVALUATED.values():
        if CLEAN not in getattr(corpus, key):
            raise ValueError(
                f"corpus.{key} lacks clean; degraded copies take their labels from the clean speech; add it"
            )
        if changed := [name for name in getattr(corpus, key) if speed_of(name) != 1]:
            raise ValueError(
                f"corpus.{key}: {changed[0]} is for training alone; results are of real speech; remove it"
            )
    if not corpus.train_conditions:
        raise ValueError("corpus.train_conditions is empty; write [clean] for speech as recorded")
    degraded = len(_degraded(corpus))
    for key in ("labeled_copies", "unlabeled_copies"):
        if getattr(corpus, key) > degraded:
            raise ValueError(
                f"corpus.{key}={getattr(corpus, key)} asks for more copies than the {degraded} different degraded "
                "conditions in corpus.train_conditions; add conditions such as babble-20, or ask for fewer copies"
            )


def needs_banks(corpus: Corpus) -> bool:
    return any(map(noise_kind, (*corpus.train_conditions, *corpus.dev_conditions, *corpus.test_conditions)))


def versions(corpus: Corpus, split: str) -> int:
    """How many utterances of `split` are made from one recording."""
    if split in _EVALUATED:
        return len(set(getattr(corpus, _EVALUATED[split])))
    return 1 + {"labeled": corpus.labeled_copies, "unlabeled": corpus.unlabeled_copies}[split]


def conditions_of(recordings: Sequence[str], split: str, corpus: Corpus, seed: int) -> list[Sequence[str]]:
    """For each recording, by its id, the conditions of the utterances made from it: clean first.

    Labeled and unlabeled: clean and different degraded copies, `labeled_copies` and `unlabeled_copies` of them; but
    without `unlabeled_copies`, unlabeled speech is in one random condition. Dev and test: every condition of the
    split. A condition that is listed twice is drawn twice as often.
    """
    if split in _EVALUATED:
        names = sorted(dict.fromkeys(getattr(corpus, _EVALUATED[split])), key=lambda name: name != CLEAN)
        return [names] * len(recordings)
    copies = corpus.labeled_copies if split == "labeled" else corpus.unlabeled_copies
    if split == "unlabeled" and not copies:
        if len(set(corpus.train_conditions)) == 1:
            return [corpus.train_conditions[:1]] * len(recordings)
        return [(_one(recording, corpus.train_conditions, seed),) for recording in recordings]
    return [(CLEAN, *_drawn(recording, copies, corpus, seed)) for recording in recordings]


def in_conditions(table: pa.Table, split: str, corpus: Corpus, seed: int) -> pa.Table:
    """`table`, of the manifest's columns and clean recordings alone, with the rows of all conditions of each."""
    recordings = table["id"].to_pylist()
    names = conditions_of(recordings, split, corpus, seed)
    rows = np.repeat(np.arange(len(names)), [len(each) for each in names])
    conditions = [name for each in names for name in each]
    if all(name == CLEAN for name in conditions):
        return table
    ids = [
        recordings[row] if name == CLEAN else copy_id(recordings[row], name)
        for row, name in zip(rows.tolist(), conditions, strict=True)
    ]
    found = table.take(pa.array(rows))
    for name, values in (("id", ids), ("condition", conditions)):
        found = found.set_column(found.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return found


def _one(recording: str, names: Sequence[str], seed: int, number: int = 0) -> str:
    return names[int(fraction(seed, "condition", str(number), recording) * len(names))]


def _degraded(corpus: Corpus) -> set[str]:
    return set(corpus.train_conditions) - {CLEAN}


def _drawn(recording: str, copies: int, corpus: Corpus, seed: int) -> Iterator[str]:
    left = [name for name in corpus.train_conditions if name != CLEAN]
    for number in range(copies):
        name = _one(recording, left, seed, number + 1)
        yield name
        left = [other for other in left if other != name]
