"""Which stores a repair makes anew: those whose stage, run with this recipe, leaves every whole shard as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.runtime.stage_report import read_report
from ssl_asr.store import filesystem
from ssl_asr.store.layout import (
    ALIGNMENTS,
    FEATURES,
    MANIFEST,
    STAGE_OF_STORE,
    alignments_store,
    recipe_uri,
    targets_store,
)

# Sections of the recipe that the shards of each kind are made by.
_SECTIONS = {
    MANIFEST: ("corpus",),
    FEATURES: ("corpus", "frontend"),
    ALIGNMENTS: ("corpus", "frontend", "hmm"),
}
# Of the section `corpus`: no shard depends on them.
_OF_NO_SHARD = {"cache", "max_reject_share"}


def remade_stores(recipe: Recipe, *, labels: bool) -> set[str]:
    """Names of these stores; no targets among them unless there is a whole model that `labels`.

    A stage must have finished in this run, and by the same sections of the recipe: with others it would make all of
    its shards anew. Of alignments and targets only those of today's senones and teacher count.
    """
    kinds = [kind for kind in _SECTIONS if _is_of_this_recipe(recipe, kind)]
    found = {kind for kind in kinds if kind != ALIGNMENTS}
    if ALIGNMENTS in kinds:
        hmm = read_report(recipe, STAGE_OF_STORE[ALIGNMENTS])
        assert hmm is not None, "a stage that has finished left a report"
        found.add(alignments_store(str(hmm.figures["senone_set"])))
    if labels:
        with suppress(ValueError):  # there is no teacher yet
            found.add(targets_store(target_set_id(recipe)))
    return found


def _is_of_this_recipe(recipe: Recipe, kind: str) -> bool:
    if read_report(recipe, STAGE_OF_STORE[kind]) is None or not filesystem.exists(recipe_uri(recipe.run)):
        return False
    kept = open_recipe(recipe.run)
    return all(_asked(kept, name) == _asked(recipe, name) for name in _SECTIONS[kind]) and kept.seed == recipe.seed


def _asked(recipe: Recipe, section: str) -> dict[str, Any]:
    values: dict[str, Any] = getattr(recipe, section).model_dump()
    return {name: value for name, value in values.items() if name not in _OF_NO_SHARD}
