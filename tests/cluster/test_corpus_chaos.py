"""The corpus stage while actors, nodes and drivers are killed: manifests are those of an unbroken run, to the byte.

`make chaos` kills more often; SSL_ASR_CHAOS_KILLS and SSL_ASR_CHAOS_SEED say how often and by which draw.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import shuffle
from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.long_recordings import cuts_store
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.store.listing import list_temporary
from tests.cluster.processes import module_of_tests
from tests.conftest import CACHE, tiny_recipe
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.long_speech import RATE, talk

pytestmark = pytest.mark.cluster

KILLS = int(os.environ.get("SSL_ASR_CHAOS_KILLS", "20"))
SEED = int(os.environ.get("SSL_ASR_CHAOS_SEED", "1"))
FILES, LINES, SPEAKERS = 60, 100, 300
TALKS, TALK_SECONDS, STEP_SECONDS = 20, 240, 12


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Segments of a recording in many lists, and in every third list one to be cut; some ids are used twice."""
    random = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.flac", 0.1 * random.standard_normal(8000 * 300), 8000)
    talk(spoken(), TALK_SECONDS + TALKS * STEP_SECONDS).write(tmp_path / "talk.flac", rate=8000)
    (tmp_path / "lists").mkdir()
    numbers = random.permutation(FILES * LINES) % (FILES * LINES - 50)
    for file in range(FILES):
        rows = [entry(int(number), tmp_path) for number in numbers[file * LINES : (file + 1) * LINES]]
        if file % 3 == 1:
            rows.append(long_entry(file // 3, tmp_path))
        (tmp_path / "lists" / f"part-{file:02}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one = f"nemo:{tmp_path}/lists/part-00.jsonl"
    return tiny_recipe(
        tmp_path / "run",
        *(f"corpus.{split}={one}" for split in ("labeled", "dev", "test")),
        f"corpus.unlabeled=nemo:{tmp_path}/lists/part-*.jsonl",
        "corpus.train_conditions=[clean, room]",
        "corpus.test_conditions=[clean]",
        "corpus.shard_minutes=5",
        "corpus.slab_minutes=1",
    )


def entry(number: int, folder: Path) -> dict[str, object]:
    return {
        "id": f"utt-{number}",
        "audio_filepath": str(folder / "long.flac"),
        "offset": number % 290,
        "duration": 1 + number % 7,
        "text": f"sentence of {'abcdefghij'[number % 10]} and {'abcdefghij'[number // 10 % 10]}",
        "speaker": f"speaker {number % SPEAKERS}",
    }


def long_entry(number: int, folder: Path) -> dict[str, object]:
    """Each is in another list, and so cut by a job of its own."""
    audio, offset = str(folder / "talk.flac"), number * STEP_SECONDS
    return {"id": f"talk-{number}", "audio_filepath": audio, "offset": offset, "duration": TALK_SECONDS}


def spoken() -> list[Clip]:
    found = [each for each in open_speech(CACHE).utterances if 2 < each.duration < 4][:6]
    return [Clip(read_audio(each.audio, 0.0, each.duration, 0, RATE), RATE, each.speaker, "") for each in found]


def contents(recipe: Recipe) -> dict[str, bytes]:
    found = [file for name in ("manifest", "ledger/manifest") for file in Path(recipe.run, name).rglob("*.*")]
    return {str(file.relative_to(recipe.run)): file.read_bytes() for file in found}


@pytest.mark.timeout(240 + 15 * KILLS)
def test_the_manifests_survive_kills(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 20_000)
    unbroken = recipe.model_copy(update={"run": str(tmp_path / "unbroken")})
    monkeypatch.setattr("ssl_asr.corpus.split_stage.SMALL_BYTES", 1 << 30)
    run_corpus(unbroken)
    assert len(shuffle.buckets_store(unbroken.run).shards("unlabeled")) > 20
    assert len(cuts_store(unbroken.run).shards("unlabeled")) == TALKS
    assert sum(row.id.startswith("talk-") for row in rows_of(unbroken, "unlabeled")) > 8 * TALKS
    arguments = (recipe.model_dump_json(), str(KILLS), str(SEED), str(tmp_path / "driver.log"))
    with module_of_tests("tests.cluster.corpus_chaos", *arguments) as told:
        lines = list(told)
    for run in json.loads(lines[-1]):
        each = recipe.model_copy(update={"run": run})
        assert contents(each) == contents(unbroken)
        assert list_temporary(run) == []
        assert todo_corpus(each, []) == []
