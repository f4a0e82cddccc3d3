"""The corpus stage on audio inside other files, on disk and in a bucket: killed, grown and changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus import piece_job
from ssl_asr.corpus.readers.webdataset import read_webdataset
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.frontend.extract import Extractor
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.utterance import CLEAN
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.readers.test_nemo_tarred import write_tarred
from tests.corpus.readers.test_parquet import peoples_speech
from tests.corpus.readers.test_shar import write_shar
from tests.corpus.readers.test_tars import tar_of
from tests.corpus.readers.test_webdataset import sound
from tests.s3_server import S3Server


def write_tars(folder: Path, clips: list[Clip], each: int = 2) -> str:
    """A tar of every two clips, with and without lengths."""
    folder.mkdir(exist_ok=True)
    for first in range(0, len(clips), each):
        content = {}
        for number, clip in enumerate(clips[first : first + each], first):
            content[f"clip-{number}.flac"] = sound(clip)
            known = {"text": clip.text, "speaker": clip.speaker}
            content[f"clip-{number}.json"] = json.dumps(known).encode()
        (folder / f"part-{first // each:03d}.tar").write_bytes(tar_of(content))
    return f"webdataset:{folder}/part-{{000..{(len(clips) - 1) // each:03d}}}.tar"


def write_parquet(folder: Path, clips: list[Clip]) -> str:
    """A file of every two clips."""
    for first in range(0, len(clips), 2):
        peoples_speech(folder / f"train-{first // 2:05d}.parquet", clips[first : first + 2], first)
    return f"parquet:{folder}"


def write_a_shar(folder: Path, clips: list[Clip]) -> str:
    write_shar(folder, clips)
    return f"shar:{folder}"


def write_a_tarred(folder: Path, clips: list[Clip]) -> str:
    write_tarred(folder, clips)
    return f"nemo-tarred:{folder}"


SOURCES: dict[str, Callable[[Path, list[Clip]], str]] = {
    "webdataset": write_tars,
    "parquet": write_parquet,
    "shar": write_a_shar,
    "nemo-tarred": write_a_tarred,
}


def with_source(recipe: Recipe, source: str, run: str = "") -> Recipe:
    corpus = recipe.corpus.model_copy(update={"unlabeled": source, "trust_lengths": True})
    return recipe.model_copy(update={"corpus": corpus, "run": run or recipe.run})


def shards(recipe: Recipe, split: str = "unlabeled") -> dict[str, bytes]:
    folder = Path(recipe.run, MANIFEST, split)
    return {file.name: file.read_bytes() for file in folder.rglob("*.parquet")}


def spoken(recipe: Recipe) -> dict[str, tuple[str, float]]:
    """Lengths to 10 ms, for some forms have them in whole milliseconds."""
    return {row.text or "": (row.speaker, round(row.duration, 2)) for row in rows_of(recipe, "unlabeled")}


@pytest.mark.parametrize("form", SOURCES)
def test_a_source_of_containers_grows_and_changes(
    form: str, own_recipe: Recipe, clips: list[Clip], tmp_path: Path
) -> None:
    run_corpus(own_recipe)
    expected = spoken(own_recipe)
    source = SOURCES[form](tmp_path / "containers", clips[:4])
    recipe = with_source(own_recipe, source)
    assert run_corpus(recipe).rejected == 0
    first = spoken(recipe)
    assert len(first) == 4
    assert first.items() <= expected.items()
    assert todo_corpus(recipe, []) == []
    before = shards(recipe)
    # Another file: what is there is left alone.
    source = SOURCES[form](tmp_path / "new", clips)
    for file in sorted(Path(tmp_path / "new").rglob("*")):
        old = tmp_path / "containers" / file.relative_to(tmp_path / "new")
        if file.is_file() and not old.exists():
            old.parent.mkdir(exist_ok=True)
            file.rename(old)
    recipe = with_source(own_recipe, source.replace(f"{tmp_path}/new", f"{tmp_path}/containers"))
    assert run_corpus(recipe).rejected == 0
    assert spoken(recipe) == expected
    assert before.items() <= shards(recipe).items()
    assert todo_corpus(recipe, []) == []


@pytest.mark.parametrize("form", SOURCES)
def test_changed_audio_in_a_container_is_seen(
    form: str, own_recipe: Recipe, clips: list[Clip], tmp_path: Path
) -> None:
    recipe = with_source(own_recipe, SOURCES[form](tmp_path / "containers", clips))
    run_corpus(recipe)
    before = shards(recipe)
    changed = sorted(each for each in (tmp_path / "containers").rglob("*") if each.is_file())
    for file in changed:  # as where other audio of the same length was written
        os.utime(file, ns=(1, 1))
    assert [each.product for each in todo_corpus(recipe, [])][:1] == ["manifest/unlabeled"]
    run_corpus(recipe)
    assert shards(recipe).keys() == before.keys()
    assert shards(recipe) != before
    assert todo_corpus(recipe, []) == []


@pytest.mark.parametrize("form", SOURCES)
def test_killed_while_pieces_are_read_it_ends_in_the_same_bytes(
    form: str, own_recipe: Recipe, clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCES[form](tmp_path / "containers", clips)
    whole = with_source(own_recipe, source, str(tmp_path / "whole"))
    run_corpus(whole)
    recipe = with_source(own_recipe, source)
    publish, calls = piece_job.publish_partitions, []

    def killed(store, shard, *args, **kwargs):
        calls.append(shard)
        if shard.split == "unlabeled" and sum(each.split == "unlabeled" for each in calls) == 4:
            raise KeyboardInterrupt
        return publish(store, shard, *args, **kwargs)

    monkeypatch.setattr(piece_job, "publish_partitions", killed)
    with pytest.raises(KeyboardInterrupt):
        run_corpus(recipe)
    monkeypatch.undo()
    run_corpus(recipe)
    assert shards(recipe) == shards(whole) != {}


@pytest.mark.parametrize("form", SOURCES)
def test_containers_may_lie_in_a_bucket(
    form: str, own_recipe: Recipe, clips: list[Clip], tmp_path: Path, s3: S3Server
) -> None:
    source = SOURCES[form](tmp_path / "containers", clips)
    recipe = with_source(own_recipe, source)
    run_corpus(recipe)
    bucket = s3.create_bucket("corpus")
    for file in (tmp_path / "containers").rglob("*"):
        if file.is_file():
            name = file.relative_to(tmp_path / "containers")
            filesystem.write_bytes(f"{bucket}/{name}", file.read_bytes())
    remote = with_source(own_recipe, source.replace(f"{tmp_path}/containers", bucket), str(tmp_path / "remote"))
    assert run_corpus(remote).rejected == 0
    assert spoken(remote) == spoken(recipe)
    assert all(bucket in row.audio for row in rows_of(remote, "unlabeled"))
    assert todo_corpus(remote, []) == []


def test_a_tar_is_listed_without_its_audio(s3: S3Server, clips: list[Clip]) -> None:
    uri = f"{s3.create_bucket('corpus')}/a.tar"
    content = {f"{number}.flac": os.urandom(100_000) for number in range(20)}
    content |= {f"{number}.txt": b"yes" for number in range(20)}
    filesystem.write_bytes(uri, tar_of(dict(sorted(content.items()))))
    s3.requests.clear()
    reading = read_webdataset(uri)
    assert [each.text for each in reading.utterances] == ["yes"] * 20
    kinds = [request.split()[0] for request in s3.requests]
    assert kinds.count("HEAD") == 1
    assert kinds.count("GET") <= 23  # of 16 kB each, where all audio is 2 MB


@pytest.mark.parametrize("form", SOURCES)
def test_the_front_end_hears_the_same(form: str, own_recipe: Recipe, clips: list[Clip], tmp_path: Path) -> None:
    recipe = with_source(own_recipe, SOURCES[form](tmp_path / "containers", clips))
    run_corpus(recipe)
    frontend = recipe.frontend.model_copy(update={"sample_rate": clips[0].rate})
    extractor = Extractor(recipe.model_copy(update={"frontend": frontend}), "unlabeled")
    by_text = {A_TO_Z.normalise(clip.text): clip for clip in clips}
    rows = rows_of(recipe, "unlabeled")
    assert {row.text for row in rows} == by_text.keys()
    for row in rows:
        heard = extractor.waveform(replace(row, condition=CLEAN))
        expected = by_text[row.text or ""].samples
        assert abs(len(heard) - len(expected)) <= 16  # lengths in whole milliseconds
        np.testing.assert_allclose(heard[:30_000], expected[:30_000], atol=2**-14)


def test_recordings_without_speakers_keep_the_order_of_their_tar(
    own_recipe: Recipe, clips: list[Clip], tmp_path: Path
) -> None:
    content = {f"{name}.flac": sound(clip) for name, clip in zip("cabfed", clips, strict=True)}
    (tmp_path / "a.tar").write_bytes(tar_of(content))
    recipe = with_source(own_recipe, f"webdataset:{tmp_path / 'a.tar'}")
    run_corpus(recipe)
    assert list(dict.fromkeys(row.recording for row in rows_of(recipe, "unlabeled"))) == list("cabfed")
