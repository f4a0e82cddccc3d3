"""Cuts a split into shards and slabs of near-equal length; keeps existing shards when speech is added."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Places = npt.NDArray[np.int64]
Slabs = list[Places]  # of one shard: places of recordings


@dataclass(frozen=True)
class Recordings:
    """Utterances in the order of their speakers and of each speaker's time, those made from one recording together.

    `table` has the columns of the manifest. A recording's rows are never separated, because labels are copied inside
    it. `first` [recordings + 1] are the rows where each begins, `seconds` [recordings] its length in all conditions,
    `speakers` [recordings] equal for equal names.
    """

    table: pa.Table
    first: Places
    seconds: npt.NDArray[np.float64]
    speakers: Places

    @classmethod
    def of(cls, table: pa.Table) -> Recordings:
        if not table.num_rows:
            return cls(table, np.zeros(1, np.int64), np.zeros(0), np.zeros(0, np.int64))
        begins = changes(table["recording"])
        durations = table["duration"].to_numpy()
        sizes = np.diff(np.append(begins, table.num_rows))
        seconds = np.zeros(len(begins))
        for copy in range(int(sizes.max())):  # one after the other, as a sum in Python has it
            has = sizes > copy
            seconds[has] += durations[begins[has] + copy]
        speakers = np.zeros(table.num_rows, np.int64)
        speakers[changes(table["speaker"])] = 1
        return cls(table, np.append(begins, table.num_rows), seconds, speakers.cumsum()[begins])

    def __len__(self) -> int:
        return len(self.seconds)

    def rows(self, places: Places) -> pa.Table:
        """The rows of these recordings."""
        first, last = self.first[places], self.first[places + 1]
        if len(places) and np.array_equal(first[1:], last[:-1]):
            return self.table.slice(first[0], last[-1] - first[0])
        sizes = last - first
        rows = np.arange(sizes.sum()) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
        return self.table.take(pa.array(rows))

    def at(self, places: Places) -> Recordings:
        return Recordings.of(self.rows(places))


def plan_shards(
    recordings: Recordings, before: Mapping[int, pa.Table], shard_minutes: float, slab_minutes: float
) -> tuple[list[int], dict[int, list[pa.Table]]]:
    """Numbers of the shards of `before` that stay unchanged, and new shards, by number, with all other recordings.

    `before` holds what an earlier attempt wrote. If `cut_shards` makes each of its shards from `recordings`, the
    attempt was killed, and the missing shards are made: the result is that of an uninterrupted run. Otherwise the
    data have changed. Then all recordings outside unchanged shards are cut by themselves and get the lowest free
    numbers. The price: a run that grew is cut differently from a fresh run on the same data. A speaker's added speech
    may be in another shard than the older speech, and a small addition is a small shard.
    """
    fresh = dict(enumerate(cut_shards(recordings, shard_minutes, slab_minutes)))
    whole = {number: recordings.rows(np.concatenate(fresh[number])) for number in before if number in fresh}
    if all(number in whole and _same(whole[number], table) for number, table in before.items()):
        return sorted(before), {
            number: [recordings.rows(slab) for slab in slabs]
            for number, slabs in fresh.items()
            if number not in before
        }
    kept, rest = unchanged(recordings, before)
    free = (number for number in itertools.count() if number not in kept)
    others = recordings.at(rest)
    new = ([others.rows(slab) for slab in slabs] for slabs in cut_shards(others, shard_minutes, slab_minutes))
    return sorted(kept), dict(zip(free, new, strict=False))


def unchanged(recordings: Recordings, before: Mapping[int, pa.Table]) -> tuple[list[int], Places]:
    """Numbers in `before` whose shards hold only whole recordings as they are today, and the places of all others.

    An utterance that differs in any field is another utterance. A killed attempt may leave shards that share a
    recording; then the lowest number counts.
    """
    of_row = np.repeat(np.arange(len(recordings)), np.diff(recordings.first))
    left = np.ones(len(recordings), bool)
    kept = []
    for number, table in sorted(before.items()):
        rows = pc.index_in(table["id"], recordings.table["id"])
        if rows.null_count:
            continue
        places = np.unique(of_row[rows.to_numpy()])
        today = recordings.table.take(rows)
        is_whole = table.num_rows == int(np.diff(recordings.first)[places].sum())
        if left[places].all() and is_whole and _same(today, table):
            kept.append(number)
            left[places] = False
    return kept, np.flatnonzero(left)


def cut_shards(recordings: Recordings, shard_minutes: float, slab_minutes: float) -> list[Slabs]:
    """Shards of about `shard_minutes`, each a list of slabs of about `slab_minutes`.

    A shard holds whole speakers if they fit. A speaker with more speech than a shard is cut into consecutive pieces.
    Inside a shard, speakers are in order of name, and each speaker's utterances in time order.
    """
    if not len(recordings):
        return []
    seconds = recordings.seconds
    count = max(1, round(_sum(seconds) / (60 * shard_minutes)))
    most = _sum(seconds) / count
    pieces = [piece for speaker in _runs(recordings.speakers) for piece in _pieces(speaker, seconds, most)]
    lengths = [_sum(seconds[piece]) for piece in pieces]
    shards: list[list[Places]] = [[] for _ in range(count)]
    loads = [0.0] * count
    # Longest first, each to the emptiest shard; consecutive pieces keep their names' order below.
    for place in sorted(range(len(pieces)), key=lambda place: (-lengths[place], place)):
        least = loads.index(min(loads))
        shards[least].append(pieces[place])
        loads[least] += lengths[place]
    rows = [np.sort(np.concatenate(shard)) for shard in shards if shard]
    return [_even(each, seconds, max(1, round(_sum(seconds[each]) / (60 * slab_minutes)))) for each in rows]


def _pieces(speaker: Places, seconds: npt.NDArray[np.float64], most: float) -> list[Places]:
    count = math.ceil(_sum(seconds[speaker]) / most)
    # Small pieces of a long speaker fill shards more evenly than pieces of almost a shard.
    return [speaker] if count <= 1 else _even(speaker, seconds, count * 2)


def _even(places: Places, seconds: npt.NDArray[np.float64], count: int) -> list[Places]:
    """`places` in at most `count` consecutive parts of near-equal length, none empty."""
    ends = np.cumsum(seconds[places])
    middles = (np.append(0.0, ends[:-1]) + seconds[places] / 2) / ends[-1] * count
    return [places[run] for run in _runs(np.minimum(middles.astype(np.int64), count - 1))]


def _runs(values: Places) -> list[Places]:
    """Places of equal values that follow each other."""
    edges = np.flatnonzero(np.diff(values)) + 1
    return np.split(np.arange(len(values)), edges)


def _sum(seconds: npt.NDArray[np.float64]) -> float:
    """From the first to the last, as Python adds: NumPy's pairwise sums differ in their last bits."""
    return float(np.cumsum(seconds)[-1]) if len(seconds) else 0.0


def changes(column: pa.ChunkedArray) -> Places:
    """Rows whose value differs from that of the row before; the first row does."""
    whole = column.combine_chunks()
    differs = pc.not_equal(whole.slice(1), whole.slice(0, len(whole) - 1)).to_numpy(zero_copy_only=False)
    return np.append(0, np.flatnonzero(differs) + 1)


def _same(one: pa.Table, other: pa.Table) -> bool:
    return one.combine_chunks().equals(other.combine_chunks())
