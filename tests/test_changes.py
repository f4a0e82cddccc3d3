"""A finished run is changed and run again: exactly those files are made again that must be (docs/changes.md).

A file counts as made again where its time or its size has changed, though its bytes may be the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import todos, wanted_stages
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore
from tests.change_actions import write
from tests.changes import ANNOUNCED, CHANGES, SPLITS, bare
from tests.conftest import tiny_recipe
from tests.in_process import placed_here


@pytest.fixture(scope="session")
def sources(corpus_run: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NeMo manifests of a few utterances of recorded speech a split, and sentences for the language model."""
    folder = tmp_path_factory.mktemp("sources")
    counts = {"labeled": 30, "unlabeled": 24, "dev": 6, "test": 6, "spare": 8}
    rows: dict[str, list[dict[str, object]]] = {}
    for split in SPLITS:
        store = ShardStore(corpus_run.run, utterance.STORE)
        listed = [
            row for shard in store.shards(split) for slab in store.read_slabs(shard) for row in utterance.decode(slab)
        ]
        clean = [row for row in listed if row.recording == row.id or split == "unlabeled"]
        rows[split] = [
            {
                "id": row.recording,
                "audio_filepath": row.audio,
                "text": row.text or "",
                "speaker": row.speaker,
                "duration": row.duration,
                "offset": row.offset,
            }
            for row in clean
        ]
    rows["spare"] = rows["labeled"][counts["labeled"] :]
    for split, count in counts.items():
        write(folder / f"{split}.jsonl", rows[split][:count])
    texts = [str(row["text"]) for row in rows["labeled"][:60]]
    (folder / "sentences.txt").write_text("\n".join(texts) + "\n")
    return folder


def recipe_on(sources: Path, run: Path, *overrides: str) -> Recipe:
    own = [f"corpus.{split}=nemo:{sources}/{split}.jsonl" for split in SPLITS]
    small = [
        "corpus.train_conditions=[clean]",
        "corpus.labeled_copies=0",
        "corpus.test_conditions=[clean]",
        "corpus.max_reject_share=0.5",
        "corpus.shard_minutes=0.6",
        "hmm.senones=20",
        "hmm.flat_start_iterations=2",
        "teacher.network.units=16",
        "student.network.units=16",
        "teacher.labeled_passes=1",
        "evaluate.bootstrap=50",
        "evaluate.max_active=200",
        "cluster.train_workers=[1, 1]",
    ]
    given = [override.replace("SOURCES", str(sources)) for override in overrides]
    return tiny_recipe(run, *own, f"corpus.lm_text={sources}/sentences.txt", *small, *given)


def run_all(recipe: Recipe) -> None:
    save_recipe(recipe)
    with placed_here(), undrawn():
        for stage in wanted_stages(recipe):
            stage.function()(recipe)


@contextmanager
def undrawn() -> Iterator[None]:
    """Inside, the report's pages are empty. They are written whatever has changed, and drawing takes a second."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("ssl_asr.report.stage.render", lambda *_: "")
        monkeypatch.setattr("ssl_asr.report.stage.render_comparison", lambda *_: "")
        yield


@pytest.fixture(scope="session")
def pristine(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of a finished run with its sources, and the place where it was made and tests change it."""
    place = tmp_path_factory.mktemp("changes")
    shutil.copytree(sources, place / "work" / "sources")
    run_all(recipe_on(place / "work" / "sources", place / "work" / "run"))
    shutil.copytree(place / "work", place / "kept")
    return place / "kept", place / "work"


@pytest.fixture
def work(pristine: tuple[Path, Path]) -> Path:
    kept, place = pristine
    shutil.rmtree(place)
    shutil.copytree(kept, place)  # with the times of its files
    return place


@pytest.mark.parametrize("name", CHANGES)
def test_exactly_what_must_be_made_again_is(name: str, work: Path) -> None:
    overrides, change, expected = CHANGES[name]
    before = times(work / "run")
    change(work / "sources", work / "run")
    recipe = recipe_on(work / "sources", work / "run", *overrides)
    announced = {todo.product for todo in todos(recipe)}
    run_all(recipe)
    assert made_again(before, times(work / "run")) == expected
    assert todos(recipe) == []
    assert {ANNOUNCED[each] for each in map(bare, expected) if each in ANNOUNCED} <= announced
    assert bool(announced) == bool(expected)


def test_a_run_that_was_moved_is_done_there(work: Path) -> None:
    moved = work / "elsewhere" / "run"
    shutil.move(work / "run", moved)
    recipe = open_recipe(str(moved))
    assert todos(recipe) == []
    before = times(moved)
    run_all(recipe)
    assert made_again(before, times(moved)) == set()
    assert not (work / "run").exists()


def product_of(name: str) -> str | None:
    """Which product a file of a run belongs to; None where it is a note, a cache or made with another file."""
    parts = name.split("/")
    if parts[0] in ("manifest", "features", "alignments", "targets", "pseudo-labels", "lattices"):
        if name == "features/prior.json":
            return "prior"
        if parts[-1] == "calibration.json":
            return "calibration"
        return f"{parts[0]}/{parts[-2]}"
    known = {
        "corpus/lm_text.txt": "language text",
        "hmm/lexicon.txt": "lexicon",
        "hmm/flat_start.npz": "flat start",
        "hmm/tree.npz": "tree",
        "hmm/senones.npz": "senones",
        "decoding/results.json": "results",
    }
    if name.startswith("decoding/graphs/"):
        return "graph"
    if name.startswith("decoding/") and "/kappa-" in name:
        return "decoded"
    if name.startswith("corpus/buckets/"):
        return "sentences"
    if name.startswith("models/"):
        return Path(name).stem
    return known.get(name)


def times(run: Path) -> dict[str, tuple[int, int]]:
    files = (file for file in run.rglob("*") if file.is_file())
    return {str(file.relative_to(run)): (file.stat().st_mtime_ns, file.stat().st_size) for file in files}


def made_again(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> set[str]:
    """Products with files that changed; "new features/labeled" where files came and none that was there changed."""
    changed = {name for name, seen in after.items() if before.get(name) != seen} | (before.keys() - after.keys())
    by_product: dict[str, set[str]] = {}
    for name in changed:
        if (product := product_of(name)) is not None:
            by_product.setdefault(product, set()).add(name)
    return {_named(product, names, before) for product, names in by_product.items()}


def _named(product: str, names: set[str], before: dict[str, tuple[int, int]]) -> str:
    """As in CHANGES; "new" where a folder that was there has files more, and is otherwise as it was."""
    folders = {str(Path(name).parent) for name in before}
    grown = all(name not in before and str(Path(name).parent) in folders for name in names)
    return f"new {product}" if grown and product.startswith(("manifest/", "features/", "targets/")) else product
