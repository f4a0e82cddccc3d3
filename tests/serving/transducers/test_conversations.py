"""The bundle of a transducer of conversations, on recorded speech: what it says is what torch says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ssl_asr.cli.main import OK, main
from ssl_asr.recipe import Recipe
from ssl_asr.serving.endpoints import Endpoints, SilenceRule
from ssl_asr.serving.exporting.sherpa.transducer_export import export_sherpa_transducer
from ssl_asr.serving.exporting.transducers.export import ExportedTransducer, export_transducer
from ssl_asr.serving.results import Final
from ssl_asr.serving.transducers.engine import TransducerEngine
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.job import build_model
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from ssl_asr.transducer.recognise import recognise_channels
from ssl_asr.transducer.spoken_turns import SpokenTurn, spoken_turns
from tests.transducer.small import make_lively
from tests.transducer_bundle import frames_of, recorded_clips


@dataclass(frozen=True, eq=False)
class Conversing:
    recipe: Recipe
    model: TransducerModel
    exported: ExportedTransducer
    engine: TransducerEngine


@pytest.fixture
def conversing(conversation_recipe: Recipe, tmp_path: Path) -> Conversing:
    """With random weights, to which speech and silence matter."""
    recipe = conversation_recipe
    pieces = ensure_word_pieces(recipe, recipe.transducers["sts"])
    model = build_model(transducer_job(recipe, transducer_plan(recipe, "sts"), pieces))
    assert isinstance(model, TransducerModel)
    frames = torch.from_numpy(np.concatenate([frames_of(recipe, each) for each in recorded_clips(8000)]))
    torch.manual_seed(3)
    model.eval().set_statistics(frames.mean(0), frames.std(0) + 1e-3)
    make_lively(model, frames, 0.7, encoder=1.0)
    save_transducer(model_uri(recipe.run, "sts"), model, pieces, {})
    exported = export_transducer(recipe, "sts", tmp_path / "bundle")
    model, _, _ = load_transducer(model_uri(recipe.run, "sts"))
    return Conversing(recipe, model, exported, TransducerEngine.open(tmp_path / "bundle"))


def turns_by_torch(conversing: Conversing, samples: np.ndarray) -> list[list[SpokenTurn]]:
    frames = torch.from_numpy(frames_of(conversing.recipe, samples))
    (channels,) = recognise_channels(conversing.model, [frames], conversing.recipe.transducers["sts"].search)
    return [spoken_turns(best, conversing.engine.pieces, channel) for channel, best in enumerate(channels)]


def texts_by_channel(finals: list[Final]) -> list[list[str]]:
    return [[each.text for each in finals if each.output_channel == channel and each.words] for channel in (0, 1)]


def test_turns_of_the_bundle_are_torchs_however_the_audio_comes(conversing: Conversing) -> None:
    assert conversing.exported.difference < 1e-4
    assert "ORC-WER on dev" in conversing.exported.line()
    samples = np.concatenate(recorded_clips(8000)[:2])
    wanted = [
        [" ".join(w.word for w in turn.words) for turn in turns] for turns in turns_by_torch(conversing, samples)
    ]
    assert all(wanted)
    whole = conversing.engine.recognise(samples)
    assert texts_by_channel(whole) == wanted
    stream, found = conversing.engine.stream(endpoints=None), list[Final]()
    for begin in range(0, len(samples), 777):
        found += stream.accept(samples[begin : begin + 777])
    assert [*found, *stream.finish()] == whole


def test_a_live_stream_has_endpoints(conversing: Conversing) -> None:
    samples = np.concatenate([*recorded_clips(8000)[:2], np.zeros(16_000, np.float32)])
    finals = conversing.engine.recognise(samples, endpoints=Endpoints((SilenceRule(0.4),), longest=2.0))
    assert len({each.number for each in finals}) == len(finals) > 2
    assert all(0 <= each.start <= each.end <= len(samples) / 8000 + 0.1 for each in finals)


def test_transcripts_have_turns_with_their_channel(
    conversing: Conversing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, bundle = tmp_path / "talk.wav", str(conversing.exported.folder)
    soundfile.write(clip, recorded_clips(8000)[0], 8000)
    samples, _ = soundfile.read(clip, dtype="float32")
    wanted = sorted(
        (turn.first, turn.channel, [word.word for word in turn.words])
        for turns in turns_by_torch(conversing, samples)
        for turn in turns
    )
    assert main(["transcribe", bundle, str(clip), "--format", "json"]) == OK
    segments = json.loads(capsys.readouterr().out)["segments"]
    found = [(each["output_channel"], [word["word"] for word in each["words"]]) for each in segments]
    assert sorted(found) == sorted((channel, words) for _, channel, words in wanted)
    assert [each["start"] for each in segments] == sorted(each["start"] for each in segments)
    assert all(
        each["start"] <= word["start"] <= word["end"] <= each["end"] for each in segments for word in each["words"]
    )
    assert main(["transcribe", bundle, str(clip), "--format", "ctm"]) == OK
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [int(row[1]) for row in rows] == sorted(int(row[1]) for row in rows)
    assert {int(row[1]) for row in rows} == {channel + 1 for channel, _ in found}
    assert main(["transcribe", bundle, str(clip)]) == OK
    assert capsys.readouterr().out.splitlines() == [each["text"] for each in segments]
    for kind in ("srt", "vtt"):
        assert main(["transcribe", bundle, str(clip), "--format", kind]) == OK
    assert main(["transcribe", bundle, str(clip), "--format", "json", "--nbest", "2"]) != OK
    assert "recognises conversations, which have no other sentences" in capsys.readouterr().err


def test_sherpa_onnx_has_no_place_for_it(conversing: Conversing, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of kind 'separator' can't be exported for sherpa-onnx"):
        export_sherpa_transducer(conversing.recipe, "sts", tmp_path / "sherpa")
