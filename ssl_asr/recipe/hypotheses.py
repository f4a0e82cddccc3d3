"""Whose words of the unlabeled speech transducers learn."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section

RECOGNISERS = ("teacher", "baseline", "student")  # the topline is none: it has learned what unlabeled speech says
OUTSIDE = ("ctm", "jsonl")
TRANSDUCER = "transducer"


class Hypotheses(Section):
    """Words of the unlabeled speech, for transducers to learn; every value here is part of such a set's identity."""

    # Who recognises; None: nobody. A network of the run, with a decoding graph: teacher, baseline or student. Or
    # transducer:RUN/NAME, a transducer of another run, whose features are made as this run's are. Or words that
    # another recogniser has written, by the utterances' ids: ctm:FILE, or jsonl:FILE of JSON objects as `ssl-asr
    # transcribe` prints them; FILE is a path, a URI or a pattern. What a model or a file holds counts, not its name.
    teacher: Annotated[str | None, Affects()] = None
    # The following are for a network of the run.
    # Of an n-gram that has seen no text of the unlabeled speech. Study labels: 5 % fewer word errors than with 1.
    lm_order: Annotated[int, Field(ge=1, le=5)] = 3
    kappa: PositiveFloat = 0.3  # scale of the acoustic score; an evaluation tunes its own on dev
    prior_scale: NotNegative = 1.0  # of the log prior within the acoustic score
    beam: PositiveFloat = 13
    max_active: Positive = 5000
    # Words' posteriors come from lattices of this beam, as with evaluate.lattice_beam.
    lattice_beam: PositiveFloat = 7

    @property
    def by_transducer(self) -> bool:
        """Whether a transducer of another run recognises the words."""
        return (self.teacher or "").startswith(f"{TRANSDUCER}:")

    @field_validator("teacher")
    @classmethod
    def _known(cls, teacher: str | None) -> str | None:
        kind, _, place = (teacher or "").partition(":")
        if teacher is None or teacher in RECOGNISERS or (kind in OUTSIDE and place):
            return teacher
        run, _, name = place.rpartition("/")
        if kind == TRANSDUCER and run and name:
            return teacher
        known = (*RECOGNISERS, f"{TRANSDUCER}:RUN/NAME", *(f"{each}:FILE" for each in OUTSIDE))
        raise ValueError(f"it is not known; use one of {', '.join(known)}")
