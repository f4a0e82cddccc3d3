"""Sequence training: what follows cross-entropy, by the paths of lattices instead of single frames."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.batching import Batching
from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.objective import Smoothing
from ssl_asr.recipe.optimiser import Optimiser
from ssl_asr.recipe.section import NotNegative, PositiveFloat, Section, Share
from ssl_asr.recipe.sync import Sync

LATTICES = Affects("lattices")


class SequenceOptimiser(Optimiser):
    learning_rate: PositiveFloat = 5e-5
    final_learning_rate: PositiveFloat = 2e-5


class SequenceSync(Sync):
    strategy: Literal["bmuf", "gtc", "dense"] = "gtc"  # one model that all workers see at once, as published


class SequenceTraining(Section):
    """sMBR on the labeled data, from the model that cross-entropy has trained; 0 `epochs`: none.

    Lattices are made by that model, and again by the model after the first epoch. Where a network knows its training
    speech by heart, as with minutes of it, its lattices hold no errors to learn from. With `folds` above 1, as many
    models are trained by cross-entropy, each without its part of the shards, and make the lattices of that part once.
    """

    epochs: Annotated[int, Field(ge=0)] = 0
    kappa: Annotated[PositiveFloat, LATTICES] = 0.333  # acoustic scale; Kaldi's for 30 ms frames
    lm_order: Annotated[int, Field(ge=1, le=3), LATTICES] = (
        2  # a weak language model leaves more errors to learn from
    )
    beam: Annotated[PositiveFloat, LATTICES] = 8
    lattice_beam: Annotated[PositiveFloat, LATTICES] = 5
    folds: Annotated[int, Field(ge=1, le=20)] = 1
    fold_passes: Annotated[Share, Field(gt=0)] = 0.5  # of a fold model, as a share of the passes of the model itself
    # Added to the objective, so that frames stay right: cross-entropy with the labels, or with the posteriors of the
    # model at the start.
    smoothing: Smoothing = "ce"
    smoothing_weight: NotNegative = 0.1
    optimiser: SequenceOptimiser = SequenceOptimiser()
    batching: Batching = Batching()
    sync: SequenceSync = SequenceSync()
