"""Shards of inputs and of transcripts: listed once, made once, made again for another engine."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobs.transcribe import main as transcribe_job
from ssl_asr.cli.job_entry import JOB_MARK
from ssl_asr.corpus.audio import read_audio
from ssl_asr.runtime.job_runner import Pool, run_shard_jobs
from ssl_asr.serving.adapting import EngineOptions
from ssl_asr.serving.transcribing.bulk import (
    SPLIT,
    TRANSCRIPTS,
    BulkOptions,
    TranscribeJob,
    delete_leftovers,
    list_inputs,
    outcome,
    unfinished,
)
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber
from ssl_asr.store.shards import ShardStore
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken


@pytest.fixture
def folder(spoken: Spoken, tmp_path: Path) -> Path:
    """Five recordings, one in two folders, and two files that are none."""
    rate, rows = spoken.engine.sample_rate, rows_of(spoken.recipe, "labeled")[:5]
    for number, row in enumerate(rows):
        place = tmp_path / "in" / str(number % 2) / f"{number}.flac"
        place.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(place, read_audio(row.audio, row.offset, row.duration, row.channel, rate), rate)
    (tmp_path / "in" / "bad.wav").write_bytes(b"%PDF")
    (tmp_path / "in" / "gone.wav").symlink_to("nowhere")
    return tmp_path / "in"


def _files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.suffix == ".parquet"}


def test_every_input_is_transcribed_once_and_resumed(
    spoken: Spoken, folder: Path, tmp_path: Path, ray_local: None
) -> None:
    out = str(tmp_path / "out")
    options = BulkOptions(out, EngineOptions(str(spoken.folder)))
    words = [str(folder), str(folder / "1")]  # its files come again
    listing = list_inputs(out, words, channel=0, shard_inputs=3)
    assert (listing.inputs, listing.rejected, listing.shards) == (6, 1, 3)
    first, *others = unfinished(options)
    TranscribeJob(options)(first)
    assert unfinished(options) == others
    assert run_shard_jobs("transcribe", others, lambda: TranscribeJob(options), pool=Pool(1, 1)) == []
    assert unfinished(options) == []
    found = outcome(out)
    assert found.transcribed == 5
    assert sorted(Path(each.id).name for each in found.rejects) == ["bad", "gone.wav"]
    rows = [
        row
        for shard in ShardStore(out, TRANSCRIPTS).shards(SPLIT)
        for row in ShardStore(out, TRANSCRIPTS).read(shard).to_pylist()
    ]
    assert sorted(row["name"] for row in rows) == ["0/0", "0/2", "0/4", "1/1", "1/3"]
    for row in rows:
        expected = Transcriber(spoken.engine).transcribe(AudioInput(row["name"], row["uri"]))
        assert row["text"] == expected.text == json.loads(row["transcript"])["text"]
        assert row["seconds"] == expected.source.seconds
    before = _files(tmp_path / "out")
    (folder / "new.wav").write_bytes(b"")  # what was listed stays listed
    assert list_inputs(out, words, channel=0, shard_inputs=3) == listing
    TranscribeJob(options)(first)
    assert _files(tmp_path / "out") == before
    with pytest.raises(ValueError, match="holds transcripts of other audio"):
        list_inputs(out, words[:1], channel=0, shard_inputs=3)


def test_what_a_killed_listing_left_is_not_transcribed(spoken: Spoken, folder: Path, tmp_path: Path) -> None:
    out, words = str(tmp_path / "out"), [str(folder)]
    assert list_inputs(out, words, channel=0, shard_inputs=2).shards == 4
    (tmp_path / "out" / "listing.json").unlink()  # it is written last
    for name in ("1/1.flac", "1/3.flac", "0/4.flac"):
        (folder / name).unlink()
    (tmp_path / "out" / "inputs" / "all" / "000003.parquet.tmp-0123abcd").write_bytes(b"PAR1")
    listing = list_inputs(out, words, channel=0, shard_inputs=2)
    assert delete_leftovers(out) == 1
    assert listing.shards == len(unfinished(BulkOptions(out, EngineOptions(str(spoken.folder))))) == 2


def test_another_engine_makes_them_again(spoken: Spoken, folder: Path, tmp_path: Path) -> None:
    out, hot = str(tmp_path / "out"), tmp_path / "hot.txt"
    options = BulkOptions(out, EngineOptions(str(spoken.folder)))
    list_inputs(out, [str(folder / "0" / "0.flac")], channel=0, shard_inputs=3)
    (shard,) = unfinished(options)
    TranscribeJob(options)(shard)
    hot.write_text("the 3\n")
    changed = replace(options, engine=replace(options.engine, hotwords=str(hot)))
    small = replace(options, engine=replace(options.engine, int8=True))
    for other in (changed, small, replace(options, alternatives=2)):
        assert unfinished(other) == [shard]
    TranscribeJob(changed)(shard)
    assert unfinished(changed) == []
    hot.write_text("the 4\n")
    assert unfinished(changed) == [shard]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shard-inputs", "0"], "0 is not a whole number from 1"),
        (["--actors", "0"], "0 is not a whole number from 1"),
        (["--channel=-1"], "-1 is not a whole number from 0"),
        (["--nbest", "11"], "11 is not a whole number from 0 to 10"),
        ([], "Ray deletes the folder of a job, and out with it; give OUT as an absolute path"),
    ],
)
def test_options_of_the_job_are_checked(monkeypatch, capsys, words: list[str], said: str) -> None:
    monkeypatch.setattr("sys.argv", ["transcribe.py", "bundle", "out", "a.wav", *words])
    monkeypatch.setenv(JOB_MARK, "{}")
    try:
        code: object = transcribe_job()
    except SystemExit as ended:
        code = ended.code
    assert code
    assert said in capsys.readouterr().err


def test_audio_that_is_not_there_any_more_is_a_reject(spoken: Spoken, tmp_path: Path) -> None:
    out, file = str(tmp_path / "out"), tmp_path / "a.wav"
    soundfile.write(file, np.zeros(8000), 8000)
    options = BulkOptions(out, EngineOptions(str(spoken.folder)))
    list_inputs(out, [str(file)], channel=0, shard_inputs=3)
    file.unlink()
    TranscribeJob(options)(*unfinished(options))
    (reject,) = outcome(out).rejects
    assert "missing or unreadable" in reject.reason
