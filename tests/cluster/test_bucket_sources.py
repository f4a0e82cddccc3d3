"""The whole recipe on speech that lies in a bucket in four forms, one of them tars and one long recordings."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.store import filesystem
from ssl_asr.store.utterance import Utterance
from tests.conftest import CACHE, tiny_recipe
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.long_speech import RATE, talk
from tests.corpus.readers.test_tars import tar_of
from tests.s3_server import S3Server

pytestmark = pytest.mark.cluster

RUN = "import sys; from ssl_asr.cli.main import main; sys.exit(main(['run', sys.argv[1]]))"
LABELED, UNLABELED, HELD_OUT = 70, 80, 10
TALKS, TALK_SECONDS = 3, 60.0


def sound(utterance: Utterance) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, read_audio(utterance.audio, 0.0, utterance.duration, 0, 8000), 8000, format="FLAC")
    return buffer.getvalue()


def write_tars(folder: str, clips: Sequence[Utterance]) -> None:
    for part in range(3):
        content = {}
        for clip in clips[part::3]:
            name = clip.id.replace("/", "-").replace(".", "-")
            known = {"text": clip.text, "speaker": clip.speaker, "duration": clip.duration}
            content |= {f"{name}.flac": sound(clip), f"{name}.json": json.dumps(known).encode()}
        filesystem.write_bytes(f"{folder}/part-{part}.tar", tar_of(content))


def write_talks(folder: str, clips: Sequence[Utterance]) -> None:
    """Of several clips each, with pauses."""
    spoken = [
        Clip(read_audio(each.audio, 0.0, each.duration, 0, RATE), RATE, each.speaker, each.text or "")
        for each in clips
    ]
    for number in range(TALKS):
        buffer = io.BytesIO()
        samples = talk(spoken[number::TALKS], TALK_SECONDS, seed=number).samples.clip(-1, 1)
        soundfile.write(buffer, samples, RATE, format="FLAC")
        filesystem.write_bytes(f"{folder}/talk-{number}.flac", buffer.getvalue())


def write_parquet(folder: str, clips: Sequence[Utterance]) -> None:
    for part in range(2):
        rows = [
            {"id": each.id, "audio": {"bytes": sound(each), "path": f"{part}.flac"}, "text": each.text}
            for each in clips[part::2]
        ]
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        filesystem.write_bytes(f"{folder}/dev-{part}.parquet", buffer.getvalue())


def write_manifests(folder: str, clips: Sequence[Utterance]) -> None:
    for part in range(2):
        lines = ""
        for number, clip in enumerate(clips[part::2]):
            uri = f"{folder}/audio/{part}-{number}.flac"
            filesystem.write_bytes(uri, sound(clip))
            lines += json.dumps({"audio_filepath": uri, "text": clip.text, "speaker": clip.speaker}) + "\n"
        filesystem.write_bytes(f"{folder}/test-{part}.jsonl.gz", gzip.compress(lines.encode()))


@pytest.mark.timeout(1000)
def test_four_forms_in_a_bucket_end_in_a_table(tmp_path: Path, s3: S3Server) -> None:
    bucket = s3.create_bucket("speech")
    clips = [
        each
        for each in open_speech(CACHE).utterances
        if 1.5 < each.duration < 8 and each.text and not A_TO_Z.unknown_characters(each.text)
    ][: LABELED + UNLABELED + 2 * HELD_OUT]
    write_tars(f"{bucket}/labeled", clips[:LABELED])
    write_talks(f"{bucket}/talks", clips[LABELED : LABELED + UNLABELED])
    write_parquet(f"{bucket}/dev", clips[-2 * HELD_OUT : -HELD_OUT])
    write_manifests(f"{bucket}/test", clips[-HELD_OUT:])
    recipe = tiny_recipe(
        tmp_path / "run",
        f"corpus.labeled=webdataset:{bucket}/labeled/part-*.tar",
        f"corpus.unlabeled=folder:{bucket}/talks/*.flac",
        f"corpus.dev=parquet:{bucket}/dev/dev-*.parquet",
        f"corpus.test=nemo:{bucket}/test/test-*.jsonl.gz",
        # Sources are what is tested: networks are trained as briefly as can be.
        "corpus.labeled_copies=0",
        "hmm.senones=40",
        "hmm.flat_start_iterations=3",
        "hmm.g2p_words=500",
        "labelling.k=10",
        "teacher.labeled_passes=1",
        "teacher.whole_passes=0",
        "student.sub_epochs=1",
        "student.whole_sub_epochs=0",
        "cluster.train_workers=[1, 1]",
        "evaluate.topline=false",
    )
    file = tmp_path / "mine.yaml"
    file.write_text(recipe.model_dump_json())  # JSON is YAML
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(file)], env=dict(os.environ), capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Scored: {HELD_OUT} of {HELD_OUT} listed utterances." in done.stdout
    segments = rows_of(recipe, "unlabeled")
    assert {each.audio for each in segments} == {f"{bucket}/talks/talk-{number}.flac" for number in range(TALKS)}
    assert all(each.duration <= recipe.corpus.max_seconds for each in segments)
    assert Path(recipe.run, "report", "wer.md").is_file()
