"""What an evaluation has decoded in a run."""

from __future__ import annotations

from pathlib import Path

from ssl_asr.recipe import Recipe

SYSTEMS = ("baseline", "teacher", "student")


def slabs_of(run: str) -> dict[Path, int]:
    """Results of slabs by path, with the time they were written at."""
    return {path: path.stat().st_mtime_ns for path in Path(run, "decoding").glob("*/*/kappa-*/**/*.json")}


def tried(recipe: Recipe, system: str) -> set[tuple[str, str]]:
    return {(path.parts[-3], path.parts[-2]) for path in slabs_of(recipe.run) if path.parts[-4] == system}
