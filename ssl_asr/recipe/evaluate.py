"""How the test speech is decoded, and its errors are counted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.mixtures import Mixtures
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section


class Evaluate(Section):
    lm_order: Annotated[int, Field(ge=1, le=5), Affects("graph")] = 3
    beam: Annotated[PositiveFloat, Affects("hypotheses")] = 13
    max_active: Annotated[Positive, Affects("hypotheses")] = 5000
    batch_frames: Annotated[Positive, Affects("hypotheses")] = 6000  # as labelling.batch_frames
    # Acoustic scales tried on dev; of two or more, an optimum at either end goes on beyond it (evaluation/tuning.py).
    kappas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Affects("results")] = (0.2, 0.3, 0.45, 0.7, 1.0)
    # Scales of the log prior within the acoustic score, tried on dev at the best kappa.
    prior_scales: Annotated[tuple[NotNegative, ...], Field(min_length=1), Affects("results")] = (1.0,)
    bootstrap: Annotated[Positive, Affects("results")] = 2000  # replicates
    # Confidences, times and alternatives of the recognised words of test, by lattices of this beam. The hypotheses
    # stay those of the search above. A lattice takes longer than the search, and has no limit of active states: keep
    # its beam small.
    lattices: Annotated[bool, Affects("results")] = False
    lattice_beam: Annotated[PositiveFloat, Affects("results")] = 7
    # A system more: the student's network trained with true labels on all audio, where the texts of the unlabeled
    # audio are known. It says how much could be gained; nothing else sees these texts.
    topline: Annotated[bool, Affects("results")] = False
    # How conversations of the test speech are simulated, the same ones for all transducers of conversations.
    conversations: Annotated[Mixtures, Affects("transducer-words")] = Mixtures()
