"""The presets of public corpora: each is listed from a tree in its archives' layout, with one override."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ssl_asr.corpus.readers.registry import READERS
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store.utterance import SPLITS
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.public_trees import (
    common_voice,
    libri_light,
    librispeech,
    librispeech_finetuning,
    with_numbers,
    write_mp3,
)

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


def build_peoples_speech(data: Path, clips: Sequence[Clip]) -> None:
    for number, name in enumerate(("train-clean-100", "train-other-500", "dev-clean", "test-clean")):
        librispeech(data / "LibriSpeech" / name, [clips[number]], chapter=number)
    for place, clip in (("audio/000001", clips[4]), ("audio2/005001", clips[5])):
        write_mp3(data / "talk.mp3", clip)
        (data / place).parent.mkdir()
        with tarfile.open(data / f"{place}.tar", "w") as tar:
            tar.add(data / "talk.mp3", f"{place[-6:]}_talk.mp3")
    (data / "talk.mp3").unlink()


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
    "unsupervised-peoples-speech": (
        build_peoples_speech,
        {"labeled": 2, "unlabeled": 2, "dev": 1, "test": 1},
        {"test-clean"},
    ),
    "common-voice": (build_common_voice, dict.fromkeys(SPLITS, 1), {"test"}),
}


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recipe(preset: str, tmp_path: Path, clips: list[Clip]) -> Recipe:
    if preset == "unsupervised-peoples-speech" and "webdataset" not in READERS:
        pytest.skip("there is no reader of tars")
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
    assert len({row.speaker for row in rows["unlabeled"]}) == counts["unlabeled"]
    assert todo_corpus(recipe, []) == []


def test_a_copy_of_the_corpus_is_no_other(recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(recipe)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copied = recipe.corpus.model_copy(update={"data": f"{tmp_path}/copy/"})
    assert todo_corpus(recipe.model_copy(update={"corpus": copied}), []) == []


def test_a_recipe_says_where_its_data_is() -> None:
    with pytest.raises(ValueError, match=r"a source has \{data\}; say where that is with corpus\.data=FOLDER"):
        load_recipe("demo", ["corpus.test=mls:{data}/test"])
    corpus = load_recipe("common-voice", ["corpus.data=s3://bucket/cv/cy/"]).corpus
    assert corpus.source_of("dev") == "common-voice:s3://bucket/cv/cy/dev.tsv"
    assert load_recipe("demo").corpus.source_of("dev") == "open-speech"
