import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.split_records import read_record
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.recipe import Frontend, Recipe
from tests.corpus.conftest import Clip


def test_speech_without_the_band_of_the_front_end_is_told_before_any_features(
    own_recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """As often as the stage runs, because the front end may be changed when all is listed."""
    run_corpus(own_recipe)
    assert "Hz" not in capsys.readouterr().err
    wider = own_recipe.model_copy(update={"frontend": Frontend(sample_rate=22050, high_hz=10000)})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"frontend\.sample_rate=16000 and frontend\.high_hz=7800"):
            run_corpus(wider)
    kaldi = Path(own_recipe.corpus.labeled.partition(":")[2])
    samples, _ = soundfile.read(kaldi / "call.wav")
    soundfile.write(kaldi / "call.wav", np.repeat(samples, 3, axis=0), 48000)
    (kaldi / "text").write_bytes((kaldi / "text").read_bytes() + b"\n")  # the listing is another
    report = run_corpus(wider)
    assert report.skipped > 0
    said = capsys.readouterr().err
    assert "corpus.labeled" not in said
    for split in ("unlabeled", "dev", "test"):
        assert f"warning: corpus.{split}: all " in said


def test_calls_whose_lengths_are_believed_are_told_too(
    own_recipe: Recipe, clips: list[Clip], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = []
    for number, clip in enumerate(clips):
        soundfile.write(tmp_path / f"call-{number}.wav", clip.samples[::2], 8000)
        rows.append({"audio_filepath": f"call-{number}.wav", "duration": len(clip.samples) / 16000})
    (tmp_path / "unlabeled.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    wide = own_recipe.model_copy(update={"frontend": Frontend()})
    for _ in range(2):
        run_corpus(wide)
        said = capsys.readouterr().err
        assert "warning: corpus.unlabeled: about all 0.0" in said
        assert "estimated from a few recordings of each piece of the list" in said
        assert "set frontend.sample_rate=8000 and frontend.high_hz=3900" in said
    record = read_record(own_recipe.run, "unlabeled")
    assert record is not None
    assert record.rates == {}
    assert record.estimated_rates == {"8000": pytest.approx(record.seconds, rel=1e-3)}
