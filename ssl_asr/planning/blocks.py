"""How long a block should be: by published results of BMUF, by the time of a preemption notice, and by the data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssl_asr.planning.facts import NOTICE_SECONDS
from ssl_asr.planning.network import block_steps
from ssl_asr.planning.numbers import number
from ssl_asr.planning.preemption import loss_share
from ssl_asr.planning.training_times import Training, block_seconds, group_kills, heard_minutes, traffic_of
from ssl_asr.planning.wall_time import Hardware
from ssl_asr.recipe import Recipe

# Parthasarathi et al. 2019 train 64 workers with blocks of 100; Ericson et al. see no difference from 5 to 80.
MINIBATCHES = 100


@dataclass(frozen=True)
class BlockEstimate:
    """A block of `slabs` slabs a worker. `wants_hours` is the amount of different speech that BMUF needs for it.

    `efficiency` is the share of the time in which workers train, `lost` the share that preemption costs.
    """

    slabs: int
    minibatches: float
    seconds: float
    efficiency: float
    lost: float
    wants_hours: float


@dataclass(frozen=True)
class BlockAdvice:
    """The `best` block and the reason `why`; `rows` compares other lengths, including the recipe's own."""

    training: Training
    rows: list[BlockEstimate]
    best: BlockEstimate
    why: str
    unique_hours: float


def block(recipe: Recipe, training: Training, cluster: Hardware, slabs: int) -> BlockEstimate:
    workers, sync = cluster.devices.trainers, training.sync
    efficiency = traffic_of(recipe, training, sync.strategy, workers, cluster.gbit.value, slabs).efficiency
    seconds = block_seconds(recipe, training, slabs, efficiency)
    return BlockEstimate(
        slabs,
        block_steps(training.batching, heard_minutes(recipe, training), slabs).minibatches,
        seconds,
        efficiency,
        loss_share(seconds * sync.checkpoint_blocks, group_kills(cluster), cluster.recovery.value),
        wanted_hours(recipe, slabs, workers),
    )


def wanted_hours(recipe: Recipe, slabs: int, workers: int) -> float:
    """Hours of different speech that BMUF needs: sync period x N^2 (CNTK); the period is one worker's block."""
    return slabs * recipe.corpus.slab_minutes / 60 * workers**2


def advise(recipe: Recipe, training: Training, cluster: Hardware, unique_hours: float) -> BlockAdvice:
    """About 100 minibatches a block, unless the notice or the data need a shorter block.

    The recipe's own length is kept if it is within a tenth of that.
    """
    one = block(recipe, training, cluster, 1)
    trained = one.seconds * one.efficiency  # a slab; what syncing adds does not grow with the block
    upper = {
        f"shorter than a preemption notice of {NOTICE_SECONDS.value:.0f} s": (
            NOTICE_SECONDS.value - (one.seconds - trained)
        )
        / trained,
        f"different speech of at least a block x N^2, here {number(unique_hours)} h": unique_hours / one.wants_hours,
    }
    why = min(upper, key=lambda name: upper[name])
    most, wanted = upper[why], MINIBATCHES / one.minibatches
    slabs = max(1, math.floor(min(most, wanted) + (0.5 if wanted < most else 0)))
    if most < 1:
        why += "; even one slab is too long for that: lower corpus.slab_minutes"
    elif wanted < most:
        why = f"about {MINIBATCHES} minibatches a worker, as published for 64 workers"
        own = training.sync.block_slabs
        slabs = own if own <= most and abs(own - wanted) <= 0.1 * wanted else slabs
    shown = {1, slabs, training.sync.block_slabs, *(max(1, round(slabs * factor)) for factor in (0.2, 0.5, 2, 4))}
    rows = [block(recipe, training, cluster, count) for count in sorted(shown)]
    return BlockAdvice(training, rows, next(row for row in rows if row.slabs == slabs), why, unique_hours)
