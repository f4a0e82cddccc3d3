"""How far the realign stage is: blocks while a network is trained, shards while one aligns."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.hmm.realign_job import Round
from ssl_asr.models.systems import ALIGNERS, REALIGN
from ssl_asr.recipe import Recipe
from ssl_asr.report.blocks import aligner_blocks
from ssl_asr.runtime.stage_report import read_rejects
from ssl_asr.store.run_index import store_index
from ssl_asr.training.realign_rounds import rounds, shard_stages


@dataclass(frozen=True)
class RealignProgress:
    """`done` of `total` pieces (None: not known yet) of the network at work; `rejected` by all of today's rounds."""

    done: int
    total: int | None
    unit: str
    rejected: int


def realign_progress(recipe: Recipe) -> RealignProgress:
    """ValueError if a ledger entry or a network is damaged."""
    made = list(rounds(recipe))
    rejected = sum(int(store_index(each.store).total("rejects")) for each in made)
    if made:
        done, total = _shards(recipe, made[-1])
        if done < total or len(made) == recipe.hmm.realign:
            return RealignProgress(done, total, "shards", rejected)
    return RealignProgress(*aligner_blocks(recipe, ALIGNERS[len(made)]), "blocks", rejected)


def _shards(recipe: Recipe, of: Round) -> tuple[int, int]:
    """Those that the round's network has aligned, and all that it is to align, without those that it rejected."""
    held, rejected = store_index(of.store), {reject.id for reject in read_rejects(recipe, REALIGN)}
    wanted = [store_index(stage.source).only(stage.splits) for stage in shard_stages(recipe, of)]
    left = (shard for each in wanted for shard in each.without(held).shards)
    unmade = sum(shard.name not in rejected for shard in left)
    made = sum(len(each.shards) for each in wanted) - sum(len(each.without(held).shards) for each in wanted)
    return made, made + unmade
