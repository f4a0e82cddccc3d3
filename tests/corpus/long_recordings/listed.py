"""Lists of long recordings, and what a run makes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ssl_asr.recipe import Recipe
from ssl_asr.store.layout import rejects_uri
from ssl_asr.store.utterance import Utterance
from tests.corpus.conftest import rows_of

Rows = list[dict[str, object]]
MAX_SECONDS = 8.0


def add(folder: Path, rows: Rows) -> None:
    with (folder / "unlabeled.jsonl").open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def segments(recipe: Recipe, recording: str) -> list[Utterance]:
    return [row for row in rows_of(recipe, "unlabeled") if row.id.startswith(f"{recording}-")]


def times(rows: Sequence[Utterance]) -> list[tuple[float, float]]:
    return [(row.offset, row.offset + row.duration) for row in rows]


def manifest(run: str) -> dict[str, bytes]:
    folder = Path(run, "manifest", "unlabeled")
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def cuts(run: str) -> dict[str, tuple[bytes, int]]:
    folder = Path(run, "corpus", "cuts", "unlabeled")
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.glob("*.arrow")}


def rejects(recipe: Recipe) -> dict[str, str]:
    lines = Path(rejects_uri(recipe.run, "corpus")).read_text().splitlines()
    return {row["id"]: row["reason"] for row in map(json.loads, lines)}


def allowing(recipe: Recipe, **changed: object) -> Recipe:
    return recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update=changed)})
