"""Which cohorts of speakers a run looks for, and by which methods its student is adapted to them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from ssl_asr.recipe.adapt import Method
from ssl_asr.recipe.section import Positive, Section

_BY = re.compile(r"geo|tag:.+|voices(:[A-Za-z0-9][A-Za-z0-9_-]*)?")


class Fairness(Section):
    """A stage after `evaluate` finds cohorts in the student's words; by default there is none."""

    # As `ssl-asr cohorts --by`: geo, tag:NAME, voices:NAME for an extractor that `ssl-asr speakers` has made, or
    # voices, for which the stage trains one.
    by: tuple[str, ...] = ()
    # As `ssl-asr adapt --method`: the student is adapted by each to the bottom part of the first of `by`.
    methods: tuple[Method, ...] = ()
    least_words: Positive = 500  # on each side of a cut, in the half of the speakers that is searched
    least_speakers: Annotated[int, Field(ge=2)] = 5
    extractor_steps: Positive = 1000  # batches that the extractor for `voices` is trained on

    @field_validator("by")
    @classmethod
    def _known(cls, by: tuple[str, ...]) -> tuple[str, ...]:
        for each in by:
            if not _BY.fullmatch(each):
                raise ValueError(f"'{each}' divides no speakers; use geo, tag:NAME, voices or voices:NAME")
        return by

    @model_validator(mode="after")
    def _consistent(self) -> Fairness:
        for name, values in (("by", self.by), ("methods", self.methods)):
            if len({*values}) < len(values):
                raise ValueError(f"{name} has a value twice; name each once")
        if self.methods and not self.by:
            raise ValueError("methods adapt to cohorts that are found; say how to find them, such as by=[geo]")
        return self
