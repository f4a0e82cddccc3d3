"""What a result depends on: each field of a recipe names the products that it affects.

A product, such as a shard of features or a model, is determined by the content of its inputs, by the fields of the
recipe that affect it, and by a version of the code's meaning. Its stage puts these together in one mapping of names
to values, and keeps the mapping with the product. Where today's mapping is the same, the product is up to date.

A field counts only where its value differs from its default. So a new field in this program, with a default that
means what was done before, makes nothing anew. Whoever changes a default, or what a value means, raises the version
of the products that it affects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ValidationError

Product = Literal[
    "labeled",  # the utterances of a split, and how they are cut into shards
    "unlabeled",
    "dev",
    "test",
    "open-labeled",  # the same, of a split that comes from open speech
    "open-unlabeled",
    "open-dev",
    "open-test",
    "shards",  # how long a shard and a slab of the manifest are
    "noise",  # noise banks, and what is drawn from them for a degraded copy
    "features",
    "lexicon",
    "flat-start",
    "senones",
    "alignments",
    "teacher",
    "targets",
    "pseudo-labels",
    "baseline",
    "baseline-short",
    "student",
    "topline",
    "lattices",
    "teacher-smbr",
    "baseline-smbr",
    "baseline-short-smbr",
    "student-smbr",
    "topline-smbr",
    "cohorts",  # those that the run finds, and how the student understands them before and after it is adapted
    "adapted",  # a model that is adapted to a cohort
    "transducer",
    "transducer-words",  # what a transducer recognises
    "graph",
    "hypotheses",
    "results",
]
PRODUCTS: Mapping[str, Product] = {name: name for name in get_args(Product)}  # by name
Inputs = Mapping[str, str]


@dataclass(frozen=True)
class Affects:
    """Marks a field, in `Annotated`, with the products that it affects; none: it changes no result.

    A section's mark holds for those of its fields that have no mark of their own.
    """

    products: frozenset[Product]

    def __init__(self, *products: Product) -> None:
        object.__setattr__(self, "products", frozenset(products))


@dataclass(frozen=True)
class Leaf:
    """One value of a recipe: `path` is "teacher.network.layers"; `affects` is None where no mark covers it."""

    path: str
    value: Any
    is_default: bool
    affects: frozenset[Product] | None


def non_defaults(recipe: BaseModel, product: Product) -> dict[str, str]:
    """The fields that affect `product` and differ from their defaults: "frontend.sample_rate" -> "8000"."""
    found = leaves(recipe)
    return {leaf.path: leaf.value for leaf in found if product in (leaf.affects or ()) and not leaf.is_default}


def inputs_key(inputs: Inputs) -> str:
    """12 hex digits that two mappings share only if they are equal."""
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()[:12]


def digest(parts: Iterator[str] | list[str]) -> str:
    """16 hex digits for a sequence of checksums, in its order."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def differences(before: Inputs, now: Inputs) -> list[str]:
    """Names whose values differ, sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def leaves(recipe: BaseModel) -> list[Leaf]:
    """All values of a recipe, in the order of its fields; values as JSON."""
    return list(_leaves(recipe, _defaults(type(recipe)), "", None))


@cache
def _defaults(kind: type[BaseModel]) -> BaseModel:
    try:
        return kind()
    except ValidationError:  # a kind of network that must be given some value
        return kind.model_construct()


def _leaves(
    section: BaseModel, defaults: BaseModel, prefix: str, inherited: frozenset[Product] | None
) -> Iterator[Leaf]:
    for name, field in type(section).model_fields.items():
        mark = next((each.products for each in field.metadata if isinstance(each, Affects)), inherited)
        value, usual = getattr(section, name), getattr(defaults, name, None)
        path = f"{prefix}{name}"
        if isinstance(value, dict):  # sections by names of the user's own
            for each, named in value.items():
                kind: type[BaseModel] = type(named)
                yield from _leaves(named, _defaults(kind), f"{path}.{each}.", mark)
            continue
        if not isinstance(value, BaseModel):
            yield Leaf(path, _text(value), _text(value) == _text(usual), mark)
            continue
        if type(value) is not type(usual):  # another kind of network, whose own defaults count then
            yield Leaf(path, getattr(value, "kind", type(value).__name__), False, mark)
            usual = _defaults(type(value))
        yield from _leaves(value, usual, f"{path}.", mark)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
