"""A run's directory keeps its recipe, so that it can be named instead of the recipe ever after."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri


def open_recipe(target: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that `target` names: a preset, a file, or the directory of a run; ValueError if none."""
    kept = _kept(target)
    if kept is None:
        return load_recipe(target, overrides)
    return load_recipe(kept, [f"run={filesystem.absolute(target)}", *overrides])


def save_recipe(recipe: Recipe) -> None:
    """Keep the recipe in its run; the last command's wins."""
    values = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
    filesystem.write_bytes(recipe_uri(recipe.run), values.encode())


def _kept(target: str) -> str | None:
    uri = recipe_uri(filesystem.absolute(target))
    return uri if filesystem.exists(uri) else None
