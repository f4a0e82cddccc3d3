"""Long recordings that can't be cut are told, and stop nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.recipe import Recipe
from tests.corpus.conftest import Clip, rows_of
from tests.corpus.long_recordings.listed import (
    Rows,
    add,
    allowing,
    cuts,
    rejects,
    segments,
)
from tests.corpus.long_speech import RATE, Talk


def test_what_cannot_be_cut_is_a_reject_and_stops_nothing(
    recipe: Recipe, long: Rows, talks: list[Talk], heard: Counter[str], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silent.flac", np.zeros(20 * RATE), RATE)
    soundfile.write(tmp_path / "noise.flac", 1e-3 * np.random.default_rng(0).standard_normal(20 * RATE), RATE)
    whole = talks[0].write(tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) * 9 // 10])
    whole = talks[0].write(tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) * 9 // 10])
    samples = talks[1].samples.copy()
    samples[-100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    names = ("silent.flac", "noise.flac", "cut.flac", "cut.wav", "nan.wav", "absent.flac")
    add(tmp_path, [{"id": name, "audio_filepath": name, "duration": 20} for name in names])
    add(tmp_path, [{"id": "late", "audio_filepath": "a.flac", "duration": talks[0].seconds + 0.4}])
    add(tmp_path, [{"id": "later", "audio_filepath": "a.flac", "duration": talks[0].seconds + 0.6}])
    add(tmp_path, [{"id": "channel", "audio_filepath": "a.flac", "duration": 20, "channel": 4}])
    recipe = allowing(recipe, max_reject_share=0.9)
    report = run_corpus(recipe)
    found = rejects(recipe)
    for name, reason in {
        "silent.flac": "no speech was found in its 20.00 s",
        "noise.flac": "no speech was found in its 20.00 s",
        "cut.wav": "truncated",
        "absent.flac": "missing",
        "later": "the file is truncated or its times are wrong",
        "channel": "channel 4 was asked for",
    }.items():
        assert reason in found[f"unlabeled/{name}"]
        assert "\n" not in found[f"unlabeled/{name}"]
    # Nothing is wrong with the first 20 s.
    assert segments(recipe, "nan.wav")
    assert segments(recipe, "cut.flac")
    assert segments(recipe, "late")
    assert report.rejected == len(found) == 6
    strict = allowing(recipe, max_reject_share=0.05)
    with pytest.raises(ValueError, match=r"6 of 19 utterances of unlabeled were rejected \(32%\)"):
        run_corpus(strict)


def test_a_damaged_end_is_found_where_all_is_heard(
    recipe: Recipe, talks: list[Talk], heard: Counter[str], tmp_path: Path
) -> None:
    whole = talks[0].write(tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) * 9 // 10])
    samples = talks[1].samples.copy()
    samples[-100] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    talks[2].write(tmp_path / "good.wav")
    add(tmp_path, [{"id": name, "audio_filepath": name} for name in ("cut.flac", "nan.wav", "good.wav")])
    recipe = allowing(recipe, max_reject_share=0.9)
    assert run_corpus(recipe).rejected == 2
    found = rejects(recipe)
    assert "cut.flac" in found["unlabeled/cut.flac"]
    assert "NaN or infinite samples" in found["unlabeled/nan.wav"]
    assert segments(recipe, "good.wav")
    # Mended where nothing shows it: only what was refused is heard again.
    heard.clear()
    folder = Path(recipe.run, "corpus", "splits")
    (folder / "unlabeled.json").unlink()
    assert run_corpus(recipe).rejected == 2
    assert heard == {"cut.flac": 1, "nan.wav": 1}


def test_of_believed_lengths_only_long_recordings_are_opened(
    recipe: Recipe, talks: list[Talk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Counter[str]
) -> None:
    talks[0].write(tmp_path / "a.flac")
    lines = [
        {"id": "a", "audio_filepath": "a.flac", "duration": talks[0].seconds},
        *({"id": f"{number}", "audio_filepath": f"absent-{number}.flac", "duration": 5} for number in range(9)),
    ]
    (tmp_path / "unlabeled.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert recipe.corpus.trust_lengths
    assert run_corpus(recipe).rejected == 0
    assert heard == {"a.flac": 1}
    assert len(rows_of(recipe, "unlabeled")) == 9 + len(segments(recipe, "a"))


def test_ids_that_are_like_those_of_segments_are_told(
    recipe: Recipe, long: Rows, clips: list[Clip], tmp_path: Path
) -> None:
    run_corpus(recipe)
    first = segments(recipe, "a")[0]
    add(tmp_path, [{"id": first.id, "audio_filepath": "0.flac"}])
    assert run_corpus(recipe).rejected == 1
    assert f"unlabeled/{first.id}" in rejects(recipe)
    found = [row for row in rows_of(recipe, "unlabeled") if row.id == first.id]
    assert len(found) == 1


def test_without_segment_they_are_rejected(recipe: Recipe, long: Rows, clips: list[Clip]) -> None:
    run_corpus(recipe)
    other = allowing(recipe, segment=False, max_reject_share=0.5)
    assert run_corpus(other).rejected == 4
    assert {row.id for row in rows_of(other, "unlabeled")} == {f"{number}" for number in range(len(clips))}
    assert all("set corpus.segment: true or change these" in reason for reason in rejects(other).values())
    assert not cuts(other.run)


def test_lengths_that_contradict_each_other_are_told(recipe: Recipe, long: Rows) -> None:
    other = allowing(recipe, min_seconds=2.0, max_seconds=4.05)
    with pytest.raises(ValueError, match=r"corpus\.segment: segments of at most .* or set corpus\.segment: false"):
        run_corpus(other)
