"""The presets of public corpora: each is listed from a tree in its archives' layout, with one override."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store.utterance import SPLITS
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.public_trees import common_voice, libri_light, librispeech, librispeech_finetuning, with_numbers

Build = Callable[[Path, Sequence[Clip]], None]


def build_librispeech(data: Path, clips: Sequence[Clip]) -> None:
    names = ("train-clean-100", "train-clean-360", "train-other-500", "dev-clean", "dev-other", "test-clean")
    for number, (name, clip) in enumerate(zip(names, clips, strict=True)):
        librispeech(data / name, [clip], chapter=number)
    librispeech(data / "test-other", [clips[-1]], chapter=9)
    (data / "SPEAKERS.TXT").write_text("; id | sex\n")


def build_libri_light(data: Path, clips: Sequence[Clip]) -> None:
    librispeech_finetuning(data / "librispeech_finetuning", clips)
    libri_light(data / "unlabeled", clips)
    for number, name in enumerate(("dev-clean", "dev-other", "test-clean", "test-other")):
        librispeech(data / "LibriSpeech" / name, [clips[4 + number // 2]], chapter=number)


def build_common_voice(data: Path, clips: Sequence[Clip]) -> None:
    names = ("train", "other", "dev", "test")
    common_voice(data, {name: clips[number : number + 1] for number, name in enumerate(names)})
    for number, name in enumerate(("validated", "invalidated", "reported")):
        (data / f"{name}.tsv").write_text(f"header {number}\n")


PRESETS: dict[str, tuple[Build, dict[str, int], set[str]]] = {
    "librispeech": (
        build_librispeech,
        {"labeled": 1, "unlabeled": 2, "dev": 2, "test": 2},
        {"test-clean", "test-other"},
    ),
    "libri-light": (
        build_libri_light,
        {"labeled": 3, "unlabeled": 3, "dev": 2, "test": 2},
        {"test-clean", "test-other"},
    ),
    "common-voice": (build_common_voice, dict.fromkeys(SPLITS, 1), {"test"}),
}


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recipe(preset: str, tmp_path: Path, clips: list[Clip]) -> Recipe:
    PRESETS[preset][0](tmp_path / "data", with_numbers(clips))
    return load_recipe(preset, [f"run={tmp_path}/run", f"corpus.data={tmp_path}/data"])


def test_a_tree_of_the_corpus_becomes_manifests(preset: str, recipe: Recipe, clips: list[Clip]) -> None:
    _, counts, sets = PRESETS[preset]
    report = run_corpus(recipe)
    assert report.rejected == 0
    rows = {split: rows_of(recipe, split) for split in SPLITS}
    assert {split: len(found) for split, found in rows.items()} == counts
    assert {row.tags["set"] for row in rows["test"]} == sets
    assert all(row.text for split in ("labeled", "dev", "test") for row in rows[split])
    assert len({row.speaker for row in rows["unlabeled"]}) == {"libri-light": 3}.get(preset, 2 - (preset[0] == "c"))
    assert todo_corpus(recipe, []) == []


def test_the_same_corpus_elsewhere_is_no_other(recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(recipe)
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = recipe.corpus.model_copy(update={"data": f"{tmp_path}/moved/"})
    assert todo_corpus(recipe.model_copy(update={"corpus": moved}), []) == []


def test_a_recipe_says_where_its_data_is() -> None:
    with pytest.raises(ValueError, match=r"a source has \{data\}; say where that is with corpus\.data=FOLDER"):
        load_recipe("demo", ["corpus.test=mls:{data}/test"])
    corpus = load_recipe("common-voice", ["corpus.data=s3://bucket/cv/cy/"]).corpus
    assert corpus.source_of("dev") == "common-voice:s3://bucket/cv/cy/dev.tsv"
    assert load_recipe("demo").corpus.source_of("dev") == "open-speech"
