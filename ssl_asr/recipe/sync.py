"""How workers keep one model while each trains on its own speech."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import Positive, PositiveFloat, Section

Variant = Literal["nesterov", "classical", "literal"]  # of block momentum
MomentPolicy = Literal["reset", "average", "correct"]  # what a block's end makes of the optimiser's moments


class Sync(Section):
    """How workers agree: BMUF once a block, or GTC or dense all-reduce at every step."""

    strategy: Literal["bmuf", "gtc", "dense"] = "bmuf"
    block_slabs: Positive = 2  # of each worker in a block
    # So many workers take turns in one process, on one core, instead of those of the cluster: for studies of N.
    simulated_workers: Positive | None = None
    # Blocks between checkpoints; each is written during the block that follows.
    checkpoint_blocks: Annotated[Positive, Affects()] = 1
    max_bad_blocks: Annotated[Positive, Affects()] = 3  # in a row with a NaN or Inf, before the run stops
    # BMUF (Chen & Huo 2016): eta = 1 - 1/N and zeta = C N (1 - eta) unless given, which suits SGD. For eight workers
    # with Adam, eta 0.5 and zeta 1 are better (study trainer; docs/pitfalls.md, BMUF).
    variant: Variant = "nesterov"  # study trainer: 6 % less loss on dev than classical
    c: PositiveFloat = 1.0
    eta: Annotated[float, Field(ge=0, lt=1)] | None = None
    zeta: PositiveFloat | None = None
    optimiser_state: MomentPolicy = "average"  # correct: BMUF-Adam's moments
    wire: Literal["float32", "bfloat16"] = "float32"  # of averaged models; sums of bfloat16 are less exact
    warm_start_hours: Annotated[float, Field(ge=0)] = 0.0  # of audio with dense gradients before BMUF begins
    # GTC (Strom 2015) and dense: the mean of the workers' gradients, or their sum at one worker's learning rate.
    gradients: Literal["mean", "sum"] = "mean"
    # Of gradients sent. Small networks need more (study trainer).
    gtc_share: Annotated[float, Field(gt=0, le=1)] | None = 0.002
    gtc_tau: PositiveFloat | None = None  # first threshold, or the only one where gtc_share is null
    gtc_dense_steps: Annotated[int, Field(ge=0)] = 100  # of dense gradients before

    @model_validator(mode="after")
    def _consistent(self) -> Sync:
        if self.gtc_share is None and self.gtc_tau is None:
            raise ValueError("gtc_share is null and no gtc_tau is given; give one of them")
        return self
