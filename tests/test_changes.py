"""A finished run is changed and run again: exactly those files are made again that must be (docs/changes.md).

A file counts as made again where its time or its size has changed, though its bytes may be the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import STAGES, todos
from ssl_asr.runtime.run_directory import open_recipe, save_recipe
from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore
from tests.conftest import tiny_recipe
from tests.in_process import placed_here

SPLITS = ("labeled", "unlabeled", "dev", "test")
ALIGNED = ("labeled", "dev", "test")


def of(*names: str) -> set[str]:
    return set(names)


def stores(kind: str, splits: Iterable[str]) -> set[str]:
    return {f"{kind}/{split}" for split in splits}


RESULTS = of("results")
# What follows from another model, from another teacher, from other alignments.
STUDENT = of("student") | RESULTS
TEACHER = of("teacher", "targets/unlabeled") | STUDENT
SENONES = of("tree", "senones", "graph", "baseline") | stores("alignments", ALIGNED) | TEACHER
FEATURES = stores("features", SPLITS) | of("prior", "flat start") | SENONES


def write(file: Path, rows: Sequence[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def rows_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def add(split: str) -> Callable[[Path, Path], None]:
    """Speech of a new speaker."""

    def change(sources: Path, run: Path) -> None:
        file = sources / f"{split}.jsonl"
        spare = [{**row, "speaker": "new", "id": f"new-{row['id']}"} for row in rows_of(sources / "spare.jsonl")]
        write(file, rows_of(file) + spare)

    return change


def drop_last(split: str) -> Callable[[Path, Path], None]:
    def change(sources: Path, run: Path) -> None:
        file = sources / f"{split}.jsonl"
        write(file, rows_of(file)[:-1])

    return change


def more_text(sources: Path, run: Path) -> None:
    with (sources / "sentences.txt").open("a") as file:
        file.write("it was a dark and stormy night\n")


def lose(pattern: str) -> Callable[[Path, Path], None]:
    def change(sources: Path, run: Path) -> None:
        sorted(run.glob(pattern))[0].unlink()

    return change


def nothing(sources: Path, run: Path) -> None: ...


def correct_a_text(sources: Path, run: Path) -> None:
    file = sources / "labeled.jsonl"
    first, *others = rows_of(file)
    write(file, [{**first, "text": str(others[0]["text"])}, *others])


def bare(product: str) -> str:
    return product.removeprefix("new ")


# Products as a dry run names them; of what is made with another product, it says nothing.
ANNOUNCED = {
    **{f"{kind}/{split}": f"{kind}/{split}" for kind in ("manifest", "features", "alignments") for split in SPLITS},
    **{name: name for name in ("targets/unlabeled", "flat start", "lexicon", "language text", "results")},
    **{name: name for name in ("teacher", "baseline", "student")},
    "tree": "senones",
    "senones": "senone set",
}

# Name: overrides, what is done to the sources or the run, and all that is made again.
Change = tuple[list[str], Callable[[Path, Path], None], set[str]]
CHANGES: dict[str, Change] = {
    "nothing": ([], nothing, set()),
    "name and about": (["name=other", "about=other"], nothing, set()),
    "cluster": (
        ["cluster.train_workers=[1, 3]", "cluster.label_actors=[1, 1]", "cluster.price_per_actor_hour=2"],
        nothing,
        set(),
    ),
    "cache": (["corpus.cache=/does/not/exist"], nothing, set()),
    "reject share": (["corpus.max_reject_share=0.9"], nothing, set()),
    "checkpoints": (["teacher.sync.checkpoint_blocks=7", "student.sync.max_bad_blocks=9"], nothing, set()),
    "evaluate.bootstrap": (["evaluate.bootstrap=60"], nothing, RESULTS),
    "evaluate.kappas": (["evaluate.kappas=[0.25]"], nothing, RESULTS | of("decoded")),
    "evaluate.beam": (["evaluate.beam=9"], nothing, RESULTS | of("decoded")),
    "evaluate.lm_order": (["evaluate.lm_order=2"], nothing, RESULTS | of("decoded", "graph")),
    "language model's text": ([], more_text, RESULTS | of("decoded", "graph", "language text", "lexicon")),
    "test set": (
        [],
        drop_last("test"),
        stores("manifest", ["test"])
        | stores("features", ["test"])
        | stores("alignments", ["test"])
        | of("decoded", "sentences")
        | RESULTS,
    ),
    "test conditions": (
        ["corpus.test_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["test"])
        | stores("features", ["test"])
        | stores("alignments", ["test"])
        | of("decoded")
        | RESULTS,
    ),
    "dev set": (
        [],
        drop_last("dev"),
        stores("manifest", ["dev"])
        | stores("features", ["dev"])
        | stores("alignments", ["dev"])
        | of("lexicon", "decoded", "sentences", "calibration")
        | RESULTS,
    ),
    "labelling.k": (["labelling.k=5"], nothing, of("targets/unlabeled", "calibration", "decoded") | STUDENT),
    "labelling.batch_frames": (
        ["labelling.batch_frames=3000"],
        nothing,
        of("targets/unlabeled", "calibration", "decoded") | STUDENT,
    ),
    "student's network": (["student.network.units=24"], nothing, of("baseline", "decoded") | STUDENT),
    "student.labeled_boost": (["student.labeled_boost=1.5"], nothing, of("baseline", "decoded") | STUDENT),
    "student.selection": (["student.selection=uniform-confidence"], nothing, of("decoded") | STUDENT),
    "student's unlabeled objective": (
        ["student.unlabeled_objective.kind=soft-cross-entropy"],
        nothing,
        set(),
    ),
    "teacher.labeled_passes": (["teacher.labeled_passes=3"], nothing, of("calibration", "decoded") | TEACHER),
    "hmm.senones": (["hmm.senones=24"], nothing, of("calibration", "decoded") | SENONES),
    "hmm.flat_start_iterations": (
        ["hmm.flat_start_iterations=3"],
        nothing,
        of("flat start", "calibration", "decoded") | SENONES,
    ),
    "hmm.g2p_words": (
        ["hmm.g2p_words=1000"],
        nothing,
        of("lexicon", "flat start", "calibration", "decoded") | SENONES,
    ),
    "seed": (["seed=2"], nothing, of("baseline", "calibration", "decoded") | TEACHER),
    "frontend": (["frontend.mean_memory_seconds=60"], nothing, of("calibration", "decoded") | FEATURES),
    "labeled speech added": (
        [],
        add("labeled"),
        of("new manifest/labeled", "new features/labeled", "sentences", "flat start")
        | of("calibration", "decoded")
        | SENONES,
    ),
    "a labeled text corrected": (
        [],
        correct_a_text,
        of("manifest/labeled", "features/labeled", "sentences", "flat start", "calibration", "decoded") | SENONES,
    ),
    "a labeled utterance dropped": (
        [],
        drop_last("labeled"),
        of("manifest/labeled", "features/labeled", "sentences", "flat start", "calibration", "decoded") | SENONES,
    ),
    "degraded copies": (
        ["corpus.labeled_copies=1", "corpus.train_conditions=[clean, room]"],
        nothing,
        stores("manifest", ["labeled", "unlabeled"])
        | stores("features", ["labeled", "unlabeled"])
        | of("flat start", "calibration", "decoded")
        | SENONES,
    ),
    "corpus.shard_minutes": (
        ["corpus.shard_minutes=5"],
        nothing,
        stores("manifest", SPLITS) | of("calibration", "decoded") | FEATURES - of("prior", "graph"),
    ),
    "hmm.min_frames_per_senone": (
        ["hmm.min_frames_per_senone=60"],
        nothing,
        of("calibration", "decoded") | SENONES,
    ),
    "a lost senone set": ([], lose("hmm/senones.npz"), of("senones")),
    "unlabeled speech added": (
        [],
        add("unlabeled"),
        of("new manifest/unlabeled", "new features/unlabeled", "new targets/unlabeled", "sentences")
        | of("baseline", "decoded")
        | STUDENT,
    ),
    "unlabeled condition": (
        ["corpus.train_conditions=[room]"],
        nothing,
        stores("manifest", ["unlabeled"])
        | stores("features", ["unlabeled"])
        | of("targets/unlabeled", "decoded")
        | STUDENT,
    ),
    "a lost shard of features": (
        [],
        lose("features/unlabeled/*.parquet"),
        stores("features", ["unlabeled"]),
    ),
    "a lost model": ([], lose("models/baseline.safetensors"), of("baseline")),
}


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
    return tiny_recipe(run, *own, f"corpus.lm_text={sources}/sentences.txt", *small, *overrides)


def run_all(recipe: Recipe) -> None:
    save_recipe(recipe)
    for stage in STAGES:
        stage.function()(recipe)


@pytest.fixture(scope="session")
def pristine(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of a finished run with its sources, and the place where it was made and tests change it."""
    place = tmp_path_factory.mktemp("changes")
    shutil.copytree(sources, place / "work" / "sources")
    with placed_here():
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
    with placed_here():
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
    with placed_here():
        run_all(recipe)
    assert made_again(before, times(moved)) == set()
    assert not (work / "run").exists()


def product_of(name: str) -> str | None:
    """Which product a file of a run belongs to; None where it is a note, a cache or made with another file."""
    parts = name.split("/")
    if parts[0] in ("manifest", "features", "alignments", "targets"):
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
    if name.startswith("corpus/sentences/"):
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
