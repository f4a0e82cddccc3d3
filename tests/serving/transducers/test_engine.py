"""The engine of a transducer's bundle on recorded speech, against torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.serving.adapting import EngineOptions, open_engine
from ssl_asr.serving.description import ENCODER
from ssl_asr.serving.endpoints import KALDI, Endpoints, SilenceRule
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.results import Final
from ssl_asr.serving.senone_engine import SenoneEngine
from ssl_asr.serving.server.listener import Listener
from ssl_asr.serving.server.wire import Audio, Begin, Heard
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.serving.transducers.engine import TransducerEngine
from ssl_asr.transducer.model_steps import ModelSteps
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.words import emitted_words
from tests.transducer_bundle import Recorded


def in_pieces(recorded: Recorded, samples: np.ndarray, cuts: list[int], endpoints: Endpoints | None) -> list[Final]:
    stream = recorded.engine.stream(endpoints=endpoints, alternatives=3)
    finals = [final for piece in np.split(samples, cuts) for final in stream.accept(piece)]
    return [*finals, *stream.finish()]


@cache
def whole(recorded: Recorded, endpoints: Endpoints | None) -> list[Final]:
    return in_pieces(recorded, talk(recorded), [], endpoints)


def talk(recorded: Recorded) -> np.ndarray:
    return np.concatenate(recorded.clips[:2])


def test_its_encoder_is_torchs_on_recorded_speech(recorded: Recorded) -> None:
    assert recorded.exported.difference < 1e-4
    for frames in recorded.frames:
        online = OnlineNetwork(recorded.engine.network, 3)
        found = np.concatenate([*online.accept(frames), *online.finish()])
        encoded = recorded.model.encode_whole(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))[0]
        assert np.abs(found - ModelSteps(recorded.model).project(encoded)).max() < 1e-4


def test_words_times_and_confidences_are_torchs(recorded: Recorded) -> None:
    search, words = recorded.recipe.transducers[recorded.name].search, 0
    for samples, frames in zip(recorded.clips, recorded.frames, strict=True):
        ((best, *_),) = recognise(recorded.model, [torch.from_numpy(frames)], search)
        wanted = emitted_words(best, recorded.engine.pieces)
        (final,) = recorded.engine.recognise(samples)
        assert [each.word for each in final.words] == [each.word for each in wanted]
        assert [each.start for each in final.words] == [each.start for each in wanted]
        assert [each.confidence for each in final.words] == pytest.approx(
            [each.confidence for each in wanted], abs=1e-3
        )
        assert all(each.end <= its.end for each, its in zip(final.words, wanted, strict=True))
        words += len(wanted)
    assert words > 3


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_cutting_the_audio_changes_nothing(recorded: Recorded, data: st.DataObject) -> None:
    """Not a word, not a time, not a confidence, not a sentence: with endpoints and without."""
    samples = talk(recorded)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=40)))
    for endpoints in (None, Endpoints((SilenceRule(0.3),), longest=2.0)):
        assert in_pieces(recorded, samples, cuts, endpoints) == whole(recorded, endpoints)
    assert len(whole(recorded, endpoints)) > 2


def test_words_are_in_order_and_inside_the_audio(recorded: Recorded) -> None:
    words = [word for final in whole(recorded, Endpoints(longest=3.0)) for word in final.words]
    assert all(one.start <= other.start for one, other in pairwise(words))
    assert all(one.end <= other.start for one, other in pairwise(words) if one.start < other.start)
    seconds = len(talk(recorded)) / 8000
    assert all(0 <= each.start < each.end <= seconds + 0.1 for each in words)
    assert all(each.confidence is not None and 0 <= each.confidence <= 1 for each in words)


def test_partial_results_have_emission_times_and_become_the_final(recorded: Recorded) -> None:
    stream, seen = recorded.engine.stream(endpoints=None), []
    for begin in range(0, len(recorded.clips[0]), 800):
        stream.accept(recorded.clips[0][begin : begin + 800])
        partial = stream.partial(with_times=True)
        assert tuple(each.word for each in partial.timed) == partial.words
        seen.append(partial.text)
    (final,) = stream.finish()
    assert len(set(seen)) > 1
    assert final.text == recorded.engine.recognise(recorded.clips[0])[0].text


def test_sentences_are_those_of_the_beam(recorded: Recorded) -> None:
    beam = recorded.recipe.transducers[recorded.name].search.beam
    assert recorded.engine.most_alternatives == beam
    stream = recorded.engine.stream(endpoints=None, alternatives=beam)
    (final,) = [*stream.accept(recorded.clips[1]), *stream.finish()]
    assert replace(final, alternatives=()) == recorded.engine.recognise(recorded.clips[1])[0]
    logs = [each.log_probability for each in final.alternatives]
    assert 1 <= len({each.text for each in final.alternatives}) == len(logs) <= beam
    assert logs == sorted(logs, reverse=True)
    assert np.exp(logs).sum() <= 1 + 1e-3
    assert final.text in {each.text for each in final.alternatives}


def test_digital_silence_has_no_words(recorded: Recorded) -> None:
    assert recorded.engine.recognise(np.zeros(16_000, np.float32))[0].words == ()


def test_a_session_of_the_server_hears_the_same(recorded: Recorded) -> None:
    samples = np.round(recorded.clips[0] * 32767).astype("<i2")
    listener = Listener(recorded.engine, Begin(1, 8000, "int16", True, 10), Endpoints())

    def last(turn: object) -> Heard:
        try:
            while True:
                next(turn)  # type: ignore[call-overload]
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    finals = [*last(listener.hear(Audio(1, samples.tobytes(), False))).finals, *last(listener.finish()).finals]
    alone = recorded.engine.recognise(samples.astype(np.float32) / 32768, endpoints=Endpoints())
    assert [replace(each, alternatives=()) for each in finals] == alone
    assert all(each.alternatives for each in finals)


def test_it_needs_neither_torch_nor_ray_nor_sentencepiece(recorded: Recorded) -> None:
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'ray', 'onnx', 'sentencepiece', 'scipy', 'sklearn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import numpy as np\n"
        "from ssl_asr.serving.engine import Engine\n"
        "engine = Engine.open(sys.argv[1])\n"
        "print(len(engine.recognise(np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32))))\n"
    )
    command = [sys.executable, "-c", program, str(recorded.exported.folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"


def test_an_engine_of_either_kind_is_opened_by_the_bundle(recorded: Recorded) -> None:
    assert isinstance(Engine.open(recorded.exported.folder), TransducerEngine)
    with pytest.raises(ValueError, match="is the bundle of another kind of recogniser"):
        SenoneEngine.open(recorded.exported.folder)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"int8": True}, "which has no 8-bit network; leave out --int8"),
        ({"hotwords": "names.txt"}, "which has no graph for --hotwords; leave it out"),
        ({"lm": "lm.arpa"}, "which has no graph for --lm; leave it out"),
    ],
)
def test_what_it_can_not_do_is_refused(recorded: Recorded, wanted: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match="is a transducer's bundle") as refused:
        open_engine(EngineOptions(str(recorded.exported.folder), **wanted), print)
    assert said in str(refused.value)


def test_rules_that_ask_where_a_sentence_ends_are_refused_if_they_were_changed(recorded: Recorded) -> None:
    for rules in ((SilenceRule(0.4, max_relative_cost=2.0),), (replace(KALDI[2], max_relative_cost=1.0),)):
        with pytest.raises(ValueError, match="can't tell where a sentence ends"):
            recorded.engine.stream(endpoints=Endpoints(rules))
    recorded.engine.stream(endpoints=Endpoints((*KALDI[:3], SilenceRule(0.8))))


def test_outputs_that_are_not_finite_are_told(recorded: Recorded) -> None:
    search = recorded.engine._search()
    with pytest.raises(ValueError, match="not finite"):
        search.advance(np.full((1, recorded.engine.network.shape.outputs), np.nan, np.float32))
    assert (recorded.exported.folder / ENCODER).exists()
