"""The base class of all sections of a recipe: frozen, every key known, every value validated."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    # Defaults are validated too, so that 15 and 15.0 give the same identity.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)
