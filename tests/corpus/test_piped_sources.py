from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from ssl_asr.frontend.extract import Extractor
from ssl_asr.recipe import Recipe
from tests.conftest import tiny_recipe
from tests.corpus.conftest import Clip, read_split


@pytest.fixture
def piped(tmp_path: Path, clips: list[Clip]) -> Recipe:
    soundfile.write(tmp_path / "a.wav", clips[0].samples, clips[0].rate)
    (tmp_path / "wav.scp").write_text(f"a cat {tmp_path}/a.wav | cat |\nb {tmp_path}/a.wav\n")
    return tiny_recipe(tmp_path / "run", f"corpus.unlabeled=kaldi:{tmp_path}", "corpus.pipes=true")


def test_the_front_end_runs_pipes_where_the_recipe_says_so(piped: Recipe) -> None:
    utterances = read_split(piped, "unlabeled").utterances
    extracted, rejects = Extractor(piped, "unlabeled").all_frames(utterances)
    assert rejects == []
    assert (extracted[0].frames == extracted[1].frames).all()


def test_pipes_that_are_not_run_are_counted(piped: Recipe) -> None:
    recipe = piped.model_copy(update={"corpus": piped.corpus.model_copy(update={"pipes": False})})
    reading = read_split(recipe, "unlabeled")
    assert [utterance.id for utterance in reading.utterances] == ["b"]
    ((what, count),) = reading.counts.items()
    assert what.startswith("recordings are shell pipes in wav.scp that are not run")
    assert count == 1


def test_a_manifest_can_name_no_command(piped: Recipe, tmp_path: Path, clips: list[Clip]) -> None:
    """Even where the pipes of a Kaldi directory are run."""
    entries = [f"pipe:touch {tmp_path}/run # ://", f"pipe:touch {tmp_path}/run"]
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps({"audio_filepath": each}) for each in [*entries, "a.wav"]))
    corpus = piped.corpus.model_copy(update={"unlabeled": f"nemo:{tmp_path / 'm.jsonl'}"})
    reading = read_split(piped.model_copy(update={"corpus": corpus}), "unlabeled")
    assert len(reading.rejects) == 2
    assert len(reading.utterances) == 1
    assert not (tmp_path / "run").exists()
