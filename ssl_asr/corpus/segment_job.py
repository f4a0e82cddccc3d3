"""Makes utterances of the segments of a group of batches, and leaves them for the buckets: what an actor does."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ssl_asr.corpus.duplicates import AGAIN
from ssl_asr.corpus.long_recordings import Batches, cuts_store
from ssl_asr.corpus.piece_job import CUT, RATES, publish_utterances
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.partitions import read_partition


@dataclass(frozen=True)
class CutCounts:
    """Recordings that were cut, their segments, and seconds: all that were heard, and those that hold no speech."""

    recordings: int = 0
    segments: int = 0
    seconds: float = 0.0
    left_out_seconds: float = 0.0


@dataclass(frozen=True)
class Segments:
    """Utterances, in the columns of pieces, and recordings without any."""

    rows: pa.Table
    rejects: tuple[Reject, ...]
    counts: CutCounts
    rates: Mapping[str, float]


class SegmentJob:
    """Called with the number of a piece of segments, publishes its utterances and the hashes of their ids."""

    def __init__(
        self, run: str, batches: Batches, buckets: int, parents: Mapping[int, Inputs], *, by_piece: bool
    ) -> None:
        """`parents` by number of the piece; `by_piece` as of `piece_job.publish_utterances`."""
        self.run, self.batches, self.buckets, self.parents = run, batches, buckets, parents
        self.by_piece = by_piece

    def __call__(self, shard: Shard) -> None:
        mine = np.flatnonzero(self.batches.groups == shard.number).tolist()
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            read = list(pool.map(self._read, mine))
        recordings = pa.concat_tables([each for each, _ in read])
        found = segments_of(recordings, pa.concat_tables([cuts for _, cuts in read]))
        publish_utterances(
            self.run,
            shard,
            found.rows,
            self.buckets,
            self.parents[shard.number],
            statistics={RATES: dict(found.rates), CUT: asdict(found.counts)},
            rejects=found.rejects,
            by_piece=self.by_piece,
        )

    def _read(self, batch: int) -> tuple[pa.Table, pa.Table]:
        """The batch's recordings, and where they are cut."""
        cuts = Shard(self.batches.split, int(self.batches.numbers[batch]))
        return self.batches.recordings(self.run, batch), read_partition(cuts_store(self.run), cuts, 0)


def segments_of(recordings: pa.Table, cuts: pa.Table) -> Segments:
    """Of recordings and rows of `long_recordings.CUT_SCHEMA`, one for each.

    The id of a segment is that of its recording, and its begin and end in the file in ms.
    """
    recordings, cuts = recordings.combine_chunks(), cuts.combine_chunks()
    each = pc.list_value_length(cuts["begins"]).to_numpy()
    of = np.repeat(np.arange(len(each)), each)
    rates = cuts["sample_rate"].to_numpy()[of]
    begins, ends = (pc.list_flatten(cuts[name]).to_numpy() for name in ("begins", "ends"))
    rows = recordings.take(pa.array(of))
    ids = [
        f"{name}-{begin:07d}-{end:07d}"
        for name, begin, end in zip(rows["id"].to_pylist(), _ms(begins, rates), _ms(ends, rates), strict=True)
    ]
    seconds = (ends - begins) / rates
    columns = {"id": ids, "recording": ids, "offset": begins / rates, "duration": seconds}
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.array(values, rows.schema.field(place).type))
    rows, again = _unique(rows)
    heard = float(cuts["seconds"].to_numpy().sum())
    counts = CutCounts(int((each > 0).sum()), rows.num_rows, round(heard, 3), round(heard - float(seconds.sum()), 3))
    by_rate = {str(rate): float(seconds[rates == rate].sum()) for rate in np.unique(rates).tolist()}
    return Segments(rows, (*_unused(recordings, cuts), *again), counts, by_rate)


def _ms(samples: np.ndarray, rates: np.ndarray) -> list[int]:
    return np.rint(1000 * samples / rates).astype(np.int64).tolist()


def _unused(recordings: pa.Table, cuts: pa.Table) -> list[Reject]:
    """Recordings that can't be used, and those in which nobody speaks."""
    found = []
    named = zip(recordings["id"].to_pylist(), cuts.select(["reason", "seconds", "begins"]).to_pylist(), strict=True)
    for name, cut in named:
        silent = "" if cut["begins"] else f"no speech was found in its {cut['seconds']:.2f} s; leave it out"
        if reason := cut["reason"] or silent:
            found.append(Reject(name, reason))
    return found


def _unique(rows: pa.Table) -> tuple[pa.Table, list[Reject]]:
    """Rows whose id no row before has. Ids of recordings are unique, but one may be made like that of a segment."""
    ids = rows["id"].to_pylist()
    first = {name: place for place, name in reversed([*enumerate(ids)])}
    if len(first) == len(ids):
        return rows, []
    is_first = np.array([first[name] == place for place, name in enumerate(ids)])
    again = [Reject(ids[place], AGAIN) for place in np.flatnonzero(~is_first).tolist()]
    return rows.filter(pa.array(is_first)), again
