"""How gradients move a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.section import PositiveFloat, Section


class Optimiser(Section):
    name: Literal["adam", "sgd"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: PositiveFloat = 1e-4  # reached exponentially at the last phase
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    clip_norm: PositiveFloat = 5.0
