"""The senone set of a run, with the counts of one of its sets of alignments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.hmm.training import hmm_inputs, read_trained
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import alignments
from ssl_asr.store.layout import stage_of_store
from ssl_asr.store.ledger import LedgerEntry
from ssl_asr.store.shards import ShardStore


def aligned_store(run: str, senones: SenoneSet) -> ShardStore:
    """The alignments that the counts of `senones` are of."""
    return ShardStore(run, alignments.store_name(senones.alignment_set))


def counted_senones(run: str, phones: PhoneSet, table: npt.NDArray[np.uint16], realigned_by: str = "") -> SenoneSet:
    """The set of this table with the counts of its labeled alignments, those of a network if its id is given.

    ValueError naming a ledger entry that is damaged or lacks them.
    """
    uncounted = SenoneSet(phones, table, np.zeros(int(table.max()) + 1), realigned_by)
    store = aligned_store(run, uncounted)
    counts = [_counts(store, entry, uncounted.size) for entry in store.entries("labeled")]
    return SenoneSet(phones, table, sum(counts, uncounted.counts), realigned_by)


def _counts(store: ShardStore, entry: LedgerEntry, senones: int) -> npt.NDArray[np.float64]:
    counts = np.array(entry.statistics.get("senone_counts", ()), np.float64)
    if counts.shape != (senones,):
        stage = stage_of_store(store.name)
        raise ValueError(
            f"{store.ledger_uri(entry.shard)} does not count the frames of {senones} senones; delete it and run "
            f"`ssl-asr {stage} {store.root}` again"
        )
    return counts


def flat_senones(recipe: Recipe) -> SenoneSet:
    """The set that the hmm stage aligned; ValueError if it is not done for today's features and recipe."""
    trained = read_trained(recipe.run, hmm_inputs(recipe))
    if trained is None:
        raise ValueError(f"{recipe.run} has no finished flat start for its current features; run the hmm stage first")
    return counted_senones(recipe.run, trained.phones, trained.table)


def set_inputs(run: str, alignment_set: str) -> dict[str, str]:
    """What the file of the run's senone set is made from, with the counts of this set of alignments."""
    store = ShardStore(run, alignments.store_name(alignment_set))
    return {"senones": store.name, "alignments": digest(store.index("labeled").column("checksum").tolist())}
