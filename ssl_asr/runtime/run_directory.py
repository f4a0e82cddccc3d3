"""A run's directory keeps its recipe, so that it can be named instead of the recipe ever after.

A run may be moved or copied, to another path or bucket: wherever it lies is its `run`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import yaml

from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import FORMAT, format_uri, recipe_uri
from ssl_asr.store.results_layout import uri_in_copy

_PIECE = 1 << 22  # bytes


def open_recipe(target: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that `target` names: a preset, a file, or a run, by its directory or the recipe in it.

    ValueError where it names none, or where the run was made by a version that this one can't go on from.
    """
    run = _run_of(target)
    if run is not None:
        check_format(run)
        return load_recipe(recipe_uri(run), [f"run={run}", *overrides])
    recipe = load_recipe(target, overrides)
    check_format(recipe.run)
    return recipe


def save_recipe(recipe: Recipe) -> None:
    """Store the recipe in its run; the recipe of the last command wins."""
    values = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
    filesystem.write_bytes(format_uri(recipe.run), f"{FORMAT}\n".encode())
    filesystem.write_bytes(recipe_uri(recipe.run), values.encode())


def start_from(run: str, other: str) -> None:
    """Copy what the run `other` has made to `run`, unless a run is there; stages then make only what differs.

    The recipe comes last: a copy that was stopped has none, and is made again.
    """
    if filesystem.exists(recipe_uri(run)) or not filesystem.exists(recipe_uri(other)):
        return
    root = filesystem.absolute(other)
    for uri in filesystem.list_files(root):
        to = uri_in_copy(root, uri, run)
        if to is not None and to != recipe_uri(run):
            filesystem.write_pieces(to, partial(_pieces, uri))
    filesystem.write_bytes(recipe_uri(run), filesystem.read_bytes(recipe_uri(other)))


def _pieces(uri: str) -> Iterator[bytes]:
    with filesystem.reading(uri) as stream:
        while piece := stream.read(_PIECE):
            yield piece


def check_exists(run: str) -> None:
    """ValueError where there is no run at `run`."""
    if not filesystem.exists(run):
        raise ValueError(f"there is no run at {run}; start it with `ssl-asr run`, or name a run's directory")


def check_format(run: str) -> None:
    """ValueError where a run of another version lies at `run`."""
    if not filesystem.exists(recipe_uri(run)):
        return
    uri = format_uri(run)
    kept = filesystem.read_bytes(uri).decode().strip() if filesystem.exists(uri) else "1"
    if kept != FORMAT:
        raise ValueError(
            f"{run} was made by another version of ssl_asr (format {kept}; this one has format {FORMAT}), and this "
            "version can't continue it; give another directory with run=PATH, or delete this one"
        )


def _run_of(target: str) -> str | None:
    """The run that `target` is, or whose recipe it is."""
    place = filesystem.absolute(target)
    if filesystem.exists(recipe_uri(place)):
        return place
    folder = place.rpartition("/")[0]
    is_kept = place == recipe_uri(folder) and filesystem.exists(place) and filesystem.exists(format_uri(folder))
    return folder if is_kept else None
