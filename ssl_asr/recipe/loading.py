"""From a preset's name or a YAML file, with overrides, to a recipe; every refusal is one sentence with its fix."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ssl_asr.recipe.whole import Recipe
from ssl_asr.store import filesystem


def presets() -> list[str]:
    folder = resources.files("ssl_asr") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def recipe_text(name_or_path: str) -> str:
    """The YAML of a preset or of a file; ValueError with the nearest preset where it is neither."""
    if name_or_path in presets():
        return (resources.files("ssl_asr") / "presets" / f"{name_or_path}.yaml").read_text()
    if Path(name_or_path).is_file() or ("://" in name_or_path and filesystem.exists(name_or_path)):
        return filesystem.read_bytes(name_or_path).decode()
    if "/" in name_or_path:
        raise ValueError(f"there is neither a run nor a recipe at {name_or_path}")
    hint = difflib.get_close_matches(name_or_path, presets(), 1) or presets()
    raise ValueError(f"no recipe '{name_or_path}': neither a file nor a preset; try {', '.join(hint)}")


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A preset by name or a YAML file by path, with `section.key=value` overrides; ValueError if invalid."""
    text = recipe_text(name_or_path)
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{name_or_path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{name_or_path} holds no mapping of recipe keys")
    for override in overrides:
        _apply(values, override)
    return parse_recipe(values)


def parse_recipe(values: dict[str, Any]) -> Recipe:
    """Validate plain values; the first problem becomes one sentence with its fix."""
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    return recipe.model_copy(update={"run": filesystem.absolute(recipe.run)})


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals:
        raise ValueError(f"'{override}' is no override; write section.key=value, for example student.layers=3")
    *sections, key = path.split(".")
    for section in sections:
        below = values.setdefault(section, {})
        if not isinstance(below, dict):
            raise ValueError(f"recipe key '{path}': '{section}' is a value, not a section")
        values = below
    try:
        values[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"'{override}': the value is not valid YAML; write a list as [a, b]") from error


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = [str(part) for part in problem["loc"]]
    path = ".".join(where)
    if problem["type"] == "extra_forbidden":
        known = _keys_of(where[:-1])
        near = difflib.get_close_matches(where[-1], known, 1, cutoff=0.5)
        fix = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"unknown recipe key '{path}'; {fix}"
    if problem["type"] == "literal_error":
        choices = [choice.strip("' ") for choice in problem["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(str(problem["input"]), choices, 1, cutoff=0.4)
        fix = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(choices)}"
        return f"recipe value {path}={problem['input']} is not known; {fix}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"recipe value {path}={problem['input']!r}: {message}" if path else message


def _keys_of(sections: Sequence[str]) -> list[str]:
    model: Any = Recipe
    for section in sections:
        model = model.model_fields[section].annotation
    return list(model.model_fields)
