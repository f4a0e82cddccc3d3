"""The senone set of a run, with the counts of one of its sets of alignments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.hmm.training import hmm_inputs, read_trained
from ssl_asr.lang.phones import PHONES
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import alignments
from ssl_asr.store.shards import ShardStore


def counted_senones(run: str, table: npt.NDArray[np.uint16], realigned_by: str = "") -> SenoneSet:
    """The set of this table with the counts of its labeled alignments, those of a network if its id is given."""
    uncounted = SenoneSet(PHONES, table, np.zeros(int(table.max()) + 1), realigned_by)
    store = ShardStore(run, alignments.store_name(uncounted.alignment_set))
    counts = [np.array(entry.statistics["senone_counts"], np.float64) for entry in store.entries("labeled")]
    return SenoneSet(PHONES, table, sum(counts, uncounted.counts), realigned_by)


def flat_senones(recipe: Recipe) -> SenoneSet:
    """The set that the hmm stage aligned; ValueError if it is not done for today's features and recipe."""
    trained = read_trained(recipe.run, hmm_inputs(recipe))
    if trained is None:
        raise ValueError(f"{recipe.run} has no finished flat start for its current features; run the hmm stage first")
    return counted_senones(recipe.run, trained.table)


def set_inputs(run: str, alignment_set: str) -> dict[str, str]:
    """What the file of the run's senone set is made from, with the counts of this set of alignments."""
    store = ShardStore(run, alignments.store_name(alignment_set))
    return {"senones": store.name, "alignments": digest(store.index("labeled").column("checksum").tolist())}
