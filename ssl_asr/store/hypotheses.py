"""Shards of hypotheses: the words that a teacher has recognised in unlabeled speech, one row an utterance.

Transducers learn unlabeled speech from them. They are called pseudo-labels in the run's folder, because what an
evaluation has recognised in test speech is called hypotheses too. The columns are plain Parquet lists
(docs/formats.md). A frame is one of 30 ms at feature offset 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ssl_asr.store.layout import pseudo_labels_store
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

FRAME_SECONDS = 0.03

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("num_frames", pa.int32()),
        ("text", pa.string()),  # the words, a blank between two
        ("confidence", pa.float32()),  # as `HypothesisRow.confidence`
        ("words", pa.list_(pa.string())),
        # As long as `words`; null where it is not known.
        ("starts", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int32())),
        ("posteriors", pa.list_(pa.float32())),
    ]
)
_DIGITS = 4  # of a posterior: more would say nothing, and take bytes


@dataclass(frozen=True)
class TimedWord:
    """Frames [start, end) of a word, and its probability; each is None where it is not known."""

    word: str
    start: int | None = None
    end: int | None = None
    posterior: float | None = None


@dataclass(frozen=True)
class HypothesisRow:
    """What was recognised in an utterance of `num_frames` frames."""

    id: str
    num_frames: int
    words: tuple[TimedWord, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(each.word for each in self.words)

    @property
    def confidence(self) -> float | None:
        """The words' mean posterior over time; None where no word has a posterior and a duration.

        Over time: a word counts as much as it has frames. Silence has no word, so it does not count.
        """
        total, frames = judged(self.words)
        return round(total / frames, _DIGITS) if frames else None


def judged(words: Iterable[TimedWord]) -> tuple[float, int]:
    """(sum of the posteriors over frames, number of frames) of the words that have a posterior and times."""
    total, frames = 0.0, 0
    for each in words:
        if each.posterior is not None and each.start is not None and each.end is not None:
            total += each.posterior * (each.end - each.start)
            frames += each.end - each.start
    return total, frames


def store_name(set_id: str) -> str:
    """`set_id` identifies a teacher and all that decides its words: another graph or beam is another store."""
    return pseudo_labels_store(set_id)


def encode(rows: Sequence[HypothesisRow]) -> pa.Table:
    """A slab, its rows in the order of the features."""
    columns = {
        "id": [row.id for row in rows],
        "num_frames": [row.num_frames for row in rows],
        "text": [row.text for row in rows],
        "confidence": [row.confidence for row in rows],
        "words": [[each.word for each in row.words] for row in rows],
        "starts": [[each.start for each in row.words] for row in rows],
        "ends": [[each.end for each in row.words] for row in rows],
        "posteriors": [[_rounded(each.posterior) for each in row.words] for row in rows],
    }
    return pa.table(columns, schema=SCHEMA)


def decode(table: pa.Table) -> list[HypothesisRow]:
    """The rows of a slab; ValueError if its columns contradict each other."""
    found = []
    for row in table.to_pylist():
        lists = [row[name] for name in ("words", "starts", "ends", "posteriors")]
        if None in lists or len({*map(len, lists)}) != 1:
            raise ValueError(f"the lists of '{row['id']}' have not the same length")
        words = tuple(
            TimedWord(word, start, end, _rounded(posterior))
            for word, start, end, posterior in zip(*lists, strict=True)
        )
        if not all(_is_within(word, row["num_frames"]) for word in words):
            raise ValueError(f"words of '{row['id']}' are not within its {row['num_frames']} frames")
        found.append(HypothesisRow(row["id"], row["num_frames"], words))
        if found[-1].text != row["text"]:
            raise ValueError(f"the text of '{row['id']}' is not that of its words")
    return found


def read_hypotheses(run: str, set_id: str, shard: Shard, slab: int) -> list[HypothesisRow]:
    """A slab of the set, its rows in the order of the features; ValueError naming the file if it is damaged.

    The row of a degraded copy is empty (`num_frames` 0) where its recording lies in the slab:
    `ssl_asr.store.copies.label_rows` says which row has its words.
    """
    store = ShardStore(run, store_name(set_id))
    table = store.read_slab(shard, slab)
    try:
        return decode(table)
    except ValueError as error:
        raise ValueError(f"{store.uri(shard)}: {error}; delete it and run the hypotheses stage again") from error


def _is_within(word: TimedWord, num_frames: int) -> bool:
    if word.start is None or word.end is None:
        return word.start == word.end
    return 0 <= word.start <= word.end <= num_frames


def _rounded(posterior: float | None) -> float | None:
    return None if posterior is None else round(posterior, _DIGITS)
