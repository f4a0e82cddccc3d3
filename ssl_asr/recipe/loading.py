"""From a preset's name or a YAML file, with overrides, to a recipe; every refusal is one sentence with its fix."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import ValidationError

from ssl_asr.recipe.choice import Choice, choice_of
from ssl_asr.recipe.section import Section
from ssl_asr.recipe.whole import Recipe
from ssl_asr.store import filesystem


def presets() -> list[str]:
    folder = resources.files("ssl_asr") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def yaml_mapping(text: str, place: str, keys: str) -> dict[str, Any]:
    """The mapping that a YAML text holds, {} if it holds nothing; ValueError naming `place` if it is no mapping.

    `keys` says whose keys are expected, in words.
    """
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{place} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"{place} is not a mapping of {keys}")
    return {key: _unshared(value) for key, value in values.items()}


def utf8_text(uri: str) -> str:
    """What the file holds; ValueError naming it if it is no text."""
    try:
        return filesystem.read_bytes(uri).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{uri} is not UTF-8 text; convert it") from None


def recipe_text(name_or_path: str) -> str:
    """The YAML of a preset or of a file; ValueError with the nearest preset if it is neither."""
    if name_or_path in presets():
        return (resources.files("ssl_asr") / "presets" / f"{name_or_path}.yaml").read_text()
    if Path(name_or_path).is_file() or ("://" in name_or_path and filesystem.exists(name_or_path)):
        return utf8_text(name_or_path)
    if "/" in name_or_path:
        raise ValueError(f"there is neither a run nor a recipe at {name_or_path}")
    hint = difflib.get_close_matches(name_or_path, presets(), 1) or presets()
    raise ValueError(f"no recipe '{name_or_path}': neither a file nor a preset; try {', '.join(hint)}")


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A preset by name or a YAML file by path, with `section.key=value` overrides; ValueError if invalid."""
    values = yaml_mapping(recipe_text(name_or_path), name_or_path, "recipe keys")
    # A kind first: it says which keys there are, in whatever order they were given.
    for override in sorted(overrides, key=lambda text: not text.partition("=")[0].endswith(".kind")):
        _apply(values, override)
    return parse_recipe(values)


def parse_recipe(values: dict[str, Any]) -> Recipe:
    """Validate plain values; the first problem becomes one sentence with its fix."""
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        raise ValueError(_sentence(error, values)) from None
    return recipe.model_copy(update={"run": filesystem.absolute(recipe.run)})


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals:
        raise ValueError(
            f"'{override}' is not an override; write section.key=value, for example student.network.layers=3"
        )
    *sections, key = path.split(".")
    for section in sections:
        below = values.setdefault(section, {})
        if not isinstance(below, dict):
            raise ValueError(f"recipe key '{path}': '{section}' is a value, not a section")
        values = below
    try:
        values[key] = _unshared(yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ValueError(f"'{override}': the value is not valid YAML; write a list as [a, b]") from error
    choice = _choice_at(sections) if key == "kind" else None
    if choice is not None and value in choice.table:
        _keep_known(values, choice.table[value].section)


def _unshared(value: Any) -> Any:
    """A copy whose parts are all objects of their own: YAML's aliases are one, and an override would change each."""
    if isinstance(value, dict):
        return {key: _unshared(each) for key, each in value.items()}
    return [_unshared(each) for each in value] if isinstance(value, list) else value


def _keep_known(values: dict[str, Any], section: type[Section]) -> None:
    """Drop the keys that were given to another kind and that this one does not have."""
    for key in values.keys() - section.model_fields.keys():
        del values[key]


def _sentence(error: ValidationError, values: dict[str, Any]) -> str:
    problem = error.errors()[0]
    where = [str(part) for part in problem["loc"]]
    path = ".".join(where)
    if problem["type"] == "extra_forbidden":
        known = _keys_of(where[:-1], values)
        near = difflib.get_close_matches(where[-1], known, 1, cutoff=0.5)
        fix = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"unknown recipe key '{path}'; {fix}"
    if problem["type"] == "literal_error":
        choices = [choice.strip("' ") for choice in problem["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(str(problem["input"]), choices, 1, cutoff=0.4)
        fix = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(choices)}"
        return f"recipe value {path}={problem['input']} is not known; {fix}"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict) and path:
        return f"recipe section {path}: {message}"
    return f"recipe value {path}={problem['input']!r}: {message}" if path else message


def _keys_of(sections: Sequence[str], values: object) -> list[str]:
    """Known keys of the section at this path; `values`, the whole recipe's, say of which kind a section is."""
    model: type[Section] = Recipe
    keys = iter(sections)
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
        choice = choice_of(model, key)
        if choice is not None:
            kind = values.get("kind", choice.default) if isinstance(values, dict) else choice.default
            model = choice.section_of(kind)
        elif (named := _named_section(model, key)) is not None:
            model, name = named, next(keys, "")
            values = values.get(name) if isinstance(values, dict) else None
        else:
            model = _section_at(model, key)
    return list(model.model_fields)


def _section_at(model: type[Section], key: str) -> type[Section]:
    """That of a section that may be left out too; `Section` itself where no section stands at the key."""
    annotation: Any = model.model_fields[key].annotation
    found = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type)]
    return next((each for each in found if issubclass(each, Section)), Section)


def _named_section(model: type[Section], key: str) -> type[Section] | None:
    """The section of which there are several by names of the user's own, as `transducers`; None for other keys."""
    found: Any = model.model_fields[key].annotation
    section = get_args(found)[1] if get_origin(found) is dict else None
    return section if isinstance(section, type) and issubclass(section, Section) else None


def _choice_at(sections: Sequence[str]) -> Choice | None:
    """The choice that stands at this path of the recipe; None where there is none, or no such path."""
    model: type[Section] = Recipe
    keys = iter(sections[:-1])
    for key in keys:
        if key not in model.model_fields:
            return None
        if (named := _named_section(model, key)) is not None:
            model = named
            next(keys, None)
        else:
            model = _section_at(model, key)
    return choice_of(model, sections[-1]) if sections else None
