"""What the teachers' labels of a run hold, by shard and by condition, from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.labelling.top_k import KeptMass
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem, targets, utterance
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.run_index import StoreIndex
from ssl_asr.store.training_layout import model_uri


@dataclass(frozen=True)
class TargetShard:
    """The ledger's statistics of one shard of targets."""

    frames: int
    kept_mass: float
    entropy_nats: float
    bytes_per_frame: float


def labelled_shards(recipe: Recipe, stores: Sequence[StoreIndex]) -> LedgerIndex | None:
    """Shards of the run's current target set; sets of earlier teachers and settings may exist beside it."""
    if not all(filesystem.exists(model_uri(recipe.run, name)) for name in teachers_of(recipe)):
        return None
    name = targets.store_name(target_set_id(recipe))
    mine = next((each.splits.get("unlabeled") for each in stores if each.store.name == name), None)
    return None if mine is None else LedgerIndex(mine.table.filter(pc.field("frames") > 0))


def target_shards(labelled: LedgerIndex) -> tuple[TargetShard, ...]:
    means = (labelled.statistic(name) for name in ("kept_mass", "entropy_nats", "bytes_per_frame"))
    columns = (column.tolist() for column in (labelled.column("frames"), *means))
    return tuple(TargetShard(*row) for row in zip(*columns, strict=True))


def kept_by_condition(labelled: LedgerIndex) -> dict[str, KeptMass]:
    """Sums over shards, whose ledgers hold means; clean speech first."""
    begins, ends = "conditions.", ".frames"
    known = [name for name in labelled.statistics_below(begins) if name.endswith(ends)]
    names = [name[len(begins) : -len(ends)] for name in known]
    return {
        name: _kept_in(labelled, f"{begins}{name}.")
        for name in sorted(names, key=lambda name: (name != utterance.CLEAN, name))
    }


def _kept_in(labelled: LedgerIndex, condition: str) -> KeptMass:
    frames = labelled.statistic(f"{condition}frames")
    mass, entropy = (
        float(np.nansum(labelled.statistic(condition + name) * frames)) for name in ("kept_mass", "entropy_nats")
    )
    return KeptMass(int(np.nansum(frames)), mass, entropy)
