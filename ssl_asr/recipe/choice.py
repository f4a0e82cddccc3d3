"""A section that says by its `kind` what it is: one of a table's lines, such as a network or an objective.

A table is the one place that lists its kinds. A line holds the kind's section and the import path of its class, as
text, because recipes are read without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from ssl_asr.recipe.section import Section


@dataclass(frozen=True)
class Listed:
    """One line of a table: `implementation` is "package.module:Class", built from an instance of `section`."""

    section: type[Section]
    implementation: str

    def load(self) -> Any:
        """The class itself."""
        module, _, name = self.implementation.partition(":")
        return getattr(import_module(module), name)


Table = dict[str, Listed]


def listed(table: Table, kind: str) -> Listed:
    """ValueError if the table of this process has no such line, as a worker's where a line was added at run time."""
    if kind not in table:
        raise ValueError(f"the kind '{kind}' is not in the table of this process: {', '.join(table)}")
    return table[kind]


@dataclass(frozen=True)
class Choice:
    """Field metadata: a value is of the section that `table` lists for its `kind`, which is `default` if not given.

    The table is read at every validation, so a line may be added at run time, for this process.
    """

    table: Table
    default: str

    def section_of(self, kind: object) -> type[Section]:
        """ValidationError where the table does not list this kind."""
        if isinstance(kind, str) and kind in self.table:
            return self.table[kind].section
        expected = " or ".join(map(repr, self.table))
        unknown = InitErrorDetails(type="literal_error", loc=("kind",), input=kind, ctx={"expected": expected})
        raise ValidationError.from_exception_data("kind", [unknown])

    def validate(self, value: object) -> object:
        """A mapping becomes the section of its kind; anything else is left to pydantic."""
        if not isinstance(value, Mapping):
            return value
        return self.section_of(value.get("kind", self.default)).model_validate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.validate, handler(source))


def choice_of(owner: type[Section], key: str) -> Choice | None:
    """The choice that stands behind a section's key, if any."""
    field = owner.model_fields.get(key)
    found = [each for each in field.metadata if isinstance(each, Choice)] if field is not None else []
    return found[0] if found else None
