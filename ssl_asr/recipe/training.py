"""The sections that say how the teacher and the student are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import Positive, PositiveFloat, Section

Variant = Literal["nesterov", "classical", "literal"]  # of block momentum
MomentPolicy = Literal["reset", "average", "correct"]  # what a block's end makes of the optimiser's moments


class Optimiser(Section):
    name: Literal["adam", "sgd"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: PositiveFloat = 1e-4  # reached exponentially at the last phase
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    clip_norm: PositiveFloat = 5.0
    batch_chunks: Positive = 32
    chunk_frames: Positive = 32
    batch_frames: Positive = 1500  # of a batch of whole utterances, padding included
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    # SpecAugment on training batches: this many masks an utterance or chunk, each at most this wide.
    frequency_masks: Annotated[int, Field(ge=0)] = 0
    frequency_mask_bins: Positive = 8
    time_masks: Annotated[int, Field(ge=0)] = 0
    time_mask_frames: Positive = 4


class Sync(Section):
    """How workers agree: BMUF once a block, or GTC or dense all-reduce at every step."""

    strategy: Literal["bmuf", "gtc", "dense"] = "bmuf"
    block_slabs: Positive = 2  # of each worker in a block
    # Blocks between checkpoints; each is written during the block that follows.
    checkpoint_blocks: Annotated[Positive, Affects()] = 1
    max_bad_blocks: Annotated[Positive, Affects()] = 3  # in a row with a NaN or Inf, before the run stops
    # BMUF (Chen & Huo 2016): eta = 1 - 1/N and zeta = C N (1 - eta) unless given.
    variant: Variant = "nesterov"
    c: PositiveFloat = 1.0
    eta: Annotated[float, Field(ge=0, lt=1)] | None = None
    zeta: PositiveFloat | None = None
    optimiser_state: MomentPolicy = "average"  # correct: BMUF-Adam's moments
    wire: Literal["float32", "bfloat16"] = "float32"  # of averaged models; sums of bfloat16 are less exact
    warm_start_hours: Annotated[float, Field(ge=0)] = 0.0  # of audio with dense gradients before BMUF begins
    # GTC (Strom 2015) and dense: the mean of the workers' gradients, or their sum at one worker's learning rate.
    gradients: Literal["mean", "sum"] = "mean"
    gtc_share: Annotated[float, Field(gt=0, le=1)] | None = 0.002  # of gradients sent; small networks need more
    gtc_tau: PositiveFloat | None = None  # first threshold, or the only one where gtc_share is null
    gtc_dense_steps: Annotated[int, Field(ge=0)] = 100  # of dense gradients before

    @model_validator(mode="after")
    def _consistent(self) -> Sync:
        if self.gtc_share is None and self.gtc_tau is None:
            raise ValueError("gtc_share is null and no gtc_tau is given; give one of them")
        return self


def _needs_adam(optimiser: Optimiser, sync: Sync) -> None:
    if sync.optimiser_state == "correct" and optimiser.name != "adam":
        raise ValueError("sync.optimiser_state=correct is BMUF-Adam's; use average or reset, or optimiser.name=adam")


class Teacher(Section):
    layers: Positive = 5
    units: Positive = 768  # of each direction
    labeled_passes: Positive = 10  # on chunks
    whole_passes: Annotated[int, Field(ge=0)] = 2  # then on whole utterances
    optimiser: Optimiser = Optimiser()
    sync: Sync = Sync()

    @model_validator(mode="after")
    def _consistent(self) -> Teacher:
        _needs_adam(self.optimiser, self.sync)
        return self


class Student(Section):
    """The student and its baseline: the same network, schedule and updates, without the unlabeled audio."""

    layers: Positive = 5
    units: Positive = 768
    look_ahead: Annotated[int, Field(ge=0)] = 3  # 30 ms frames by which targets are delayed
    sub_epochs: Positive = 18
    unlabeled_passes: PositiveFloat = 1.0  # over all unlabeled audio, all sub-epochs together
    whole_sub_epochs: Annotated[int, Field(ge=0)] = 3  # the last ones, on whole utterances
    # Labeled data after each sub-epoch, within it after every `segment_slabs` unlabeled slabs, or all of it last.
    # A block ends with its stretch: make a stretch a multiple of the workers times sync.block_slabs.
    order: Literal["sub-epochs", "blocks", "segregated"] = "sub-epochs"
    segment_slabs: Positive = 16
    labeled_boost: PositiveFloat = 1.2  # learning rate of the labeled part over that of the unlabeled
    # Unlabeled utterances trained on: all, or so large a share of their frames, spread over the teacher's confidence.
    selection: Annotated[Literal["all", "uniform-confidence"], Affects("student")] = "all"
    selected_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimiser: Optimiser = Optimiser()
    sync: Sync = Sync()

    @model_validator(mode="after")
    def _consistent(self) -> Student:
        _needs_adam(self.optimiser, self.sync)
        return self
