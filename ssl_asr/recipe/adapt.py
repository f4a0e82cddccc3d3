"""How a trained model is adapted to a cohort of speakers."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section

Method = Literal["finetune", "ewc", "l2sp", "average", "replay", "oversample", "embedding"]
METHODS: tuple[Method, ...] = get_args(Method)

# Which strengths are tried; a model knows its own.
_TRIED = Affects()
_Way = Annotated[float, Field(gt=0, le=1)]
_Replayed = Annotated[float, Field(gt=0, lt=1)]
_Times = Annotated[int, Field(ge=2)]
_Width = Annotated[int, Field(ge=0)]
_Unknown = Annotated[float, Field(ge=0, lt=1)]


class Adapt(Section):
    """Passes over the cohort's training speech from the trained model on; each method tries all its strengths.

    `embedding` passes over all training speech.

    What is best is not known beforehand and not published: dev chooses.
    """

    passes: Positive = 3
    learning_rate: PositiveFloat = 2e-4
    final_learning_rate: PositiveFloat = 5e-5
    # Of EWC, and of L2-SP, where every weight counts as 1 and not as what it tells.
    lambdas: Annotated[tuple[NotNegative, ...], Field(min_length=1), _TRIED] = (0.1, 1.0, 10.0, 100.0)
    l2sp_lambdas: Annotated[tuple[NotNegative, ...], Field(min_length=1), _TRIED] = (1e-3, 1e-2, 0.1, 1.0)
    # Of the way from the trained to the fine-tuned model.
    averages: Annotated[tuple[_Way, ...], Field(min_length=1), _TRIED] = (0.25, 0.5, 0.75)
    # Of the frames heard, from all training speech.
    replay_shares: Annotated[tuple[_Replayed, ...], Field(min_length=1), _TRIED] = (0.5, 0.8)
    # How often a pass of the student's schedule hears the cohort's teacher-labelled speech.
    repeats: Annotated[tuple[_Times, ...], Field(min_length=1), _TRIED] = (2, 4)
    # Of a cohort's embedding; Dheram et al. 2022 have 2. With 0 there is none: the same training without it.
    embedding_dimensions: Annotated[tuple[_Width, ...], Field(min_length=1), _TRIED] = (0, 2)
    unknown_share: _Unknown = 0.1  # of the utterances of a pass, whose cohort `embedding` is not told
    segment_slabs: Positive = 4  # of the cohort's, between which all training speech is mixed in
    fisher_utterances: Positive = 256  # a sample of training speech, from which EWC finds out which weights matter
