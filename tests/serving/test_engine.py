"""The engine on recorded speech, against torch and against the run's own decoding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.frontend.extract import Extractor
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import load_model
from ssl_asr.serving.adapting import with_hotwords
from ssl_asr.serving.description import QUANTISED
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.results import Final
from ssl_asr.store import features, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.utterance import Utterance
from tests.serving.conftest import Spoken


@cache
def utterances_of(run: str) -> tuple[tuple[Utterance, np.ndarray], ...]:
    """Clean utterances of a speaker with their stored features, in the order in which the front end heard them."""
    said, heard = ShardStore(run, utterance.STORE), ShardStore(run, features.STORE)
    shard = said.shards("test")[0]
    rows = {row.id: row.frames for slab in heard.read_slabs(shard) for row in features.decode(slab, 64)}
    found = [each for slab in said.read_slabs(shard) for each in utterance.decode(slab)]
    clean = [each for each in found if each.condition == utterance.CLEAN]
    speaker = min(each.speaker for each in clean)
    mine = sorted((each for each in clean if each.speaker == speaker), key=lambda each: each.order)
    return tuple((each, rows[each.id]) for each in mine)


def audio(spoken: Spoken) -> Iterator[np.ndarray]:
    extractor = Extractor(spoken.recipe, "test")
    return (extractor.waveform(each) for each, _ in utterances_of(spoken.recipe.run))


def in_pieces(
    spoken: Spoken, samples: np.ndarray, cuts: list[int], endpoints: Endpoints | None, engine: Engine | None = None
) -> list[Final]:
    stream = (engine or spoken.engine).stream(endpoints=endpoints)
    finals = [final for piece in np.split(samples, cuts) for final in stream.accept(piece)]
    return [*finals, *stream.finish()]


def by_torch(spoken: Spoken) -> list[np.ndarray]:
    """Log posteriors of the same utterances, as the evaluate stage computes them."""
    model, _ = load_model(model_uri(spoken.recipe.run, "student"))
    frames = [stack(rows) for _, rows in utterances_of(spoken.recipe.run)]
    with torch.inference_mode():
        return [posteriors for _, posteriors in sorted(log_posteriors(model, frames, 6000))]


def test_its_network_is_torchs_on_recorded_speech(spoken):
    network = spoken.engine.network
    for (_, rows), expected in zip(utterances_of(spoken.recipe.run), by_torch(spoken), strict=True):
        frames, state, found = stack(rows).astype(np.float32), network.initial_state(), []
        longer = np.concatenate([frames, np.repeat(frames[-1:], 3, axis=0)])
        for begin in range(0, len(longer), 7):
            posteriors, state = network.run(longer[begin : begin + 7], state)
            found.append(posteriors)
        assert np.abs(np.concatenate(found)[3:] - expected).max() < 1e-4


def test_its_words_are_those_of_the_run(spoken):
    """Utterance after utterance of a speaker, whose floor and mean go on."""
    settings_, graph = spoken.recipe.evaluate, spoken.engine.graph
    decoder = Decoder(graph, settings_.beam, settings_.max_active)
    results = read_results(spoken.recipe.run)
    scales = Scales(results.kappa["student"], results.prior_scale["student"])
    priors, speaker, words = load_senones(spoken.recipe.run).log_priors(), None, 0
    for samples, posteriors in zip(audio(spoken), by_torch(spoken), strict=True):
        stream = spoken.engine.stream(endpoints=None, speaker=speaker)
        stream.accept(samples)
        (final,) = stream.finish()
        speaker = stream.speaker
        expected = decoder.decode(acoustic_scores(posteriors, priors, scales))
        assert final.text.split() == expected
        words += len(expected)
    assert words > 10


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_cutting_the_audio_changes_nothing(spoken, data):
    """Not a word, not a time, not a confidence: with endpoints and without."""
    samples = np.concatenate(list(audio(spoken)))[:48_000]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=40)))
    for endpoints in (None, Endpoints(longest=3.0)):
        assert in_pieces(spoken, samples, cuts, endpoints) == whole(spoken, len(samples), endpoints)


@cache
def whole(spoken: Spoken, length: int, endpoints: Endpoints | None) -> list[Final]:
    return in_pieces(spoken, np.concatenate(list(audio(spoken)))[:length], [], endpoints)


@cache
def hearing_things(spoken: Spoken) -> Engine:
    """The engine with such a bonus for a word that it finds it in anything."""
    return with_hotwords(spoken.engine, {(spoken.engine.graph.words[-1],): 60.0})


@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_digital_silence_has_no_words_however_it_is_cut(spoken, data):
    engine, level = hearing_things(spoken), data.draw(st.sampled_from([0.0, -8 / 32768]))
    silence, speech = np.full(24_000, level, np.float32), next(audio(spoken))[:12_000]
    for samples in (silence, np.concatenate([silence, speech])):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=20)))
        for endpoints in (None, Endpoints(longest=2.0)):
            found = in_pieces(spoken, samples, cuts, endpoints, engine)
            assert found == in_pieces(spoken, samples, [], endpoints, engine)
            assert bool(found[-1].words) == (len(samples) > len(silence))
            assert not any(final.words for final in found if final.end < 3)
    stream = engine.stream(endpoints=None)
    stream.accept(silence)
    assert stream.partial(with_times=True).words == stream.partial(with_times=True).timed == ()
    stream.accept(speech)
    assert stream.partial().words


def test_every_word_has_a_time_and_a_confidence(spoken):
    samples = np.concatenate(list(audio(spoken)))
    finals = spoken.engine.recognise(samples, endpoints=Endpoints())
    words = [word for final in finals for word in final.words]
    assert len(words) > 10
    assert all(before.end <= after.start + 1e-9 for before, after in pairwise(words))
    assert all(0 <= word.start < word.end <= len(samples) / 8000 + 0.1 for word in words)
    assert all(word.confidence is None or 0 <= word.confidence <= 1 for word in words)
    assert sum(word.confidence is not None for word in words) > len(words) / 2


def test_partial_results_come_before_the_end_and_become_the_final(spoken):
    stream, seen = spoken.engine.stream(endpoints=None), []
    samples = next(audio(spoken))
    for begin in range(0, len(samples), 800):
        assert stream.accept(samples[begin : begin + 800]) == []
        seen.append(stream.partial().text)
        assert stream.seconds - stream.decoded_seconds < 0.1 + 0.09 + 0.09 + 0.04
    (final,) = stream.finish()
    assert len(set(seen)) > 1
    assert stream.seconds == len(samples) / 8000
    assert final.end == pytest.approx(stream.seconds, abs=0.05)


def test_a_stream_ends_once(spoken):
    stream = spoken.engine.stream()
    stream.finish()
    for call in (lambda: stream.accept(np.zeros(10, np.float32)), stream.finish, stream.end_utterance):
        with pytest.raises(ValueError, match="the stream has finished"):
            call()


@pytest.mark.parametrize("samples", [0, 1, 80, 199])
def test_almost_no_audio_has_no_word(spoken, samples):
    (final,) = spoken.engine.recognise(np.zeros(samples, np.float32))
    assert (final.text, final.end) == ("", 0.0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(10), "not float64 (10,); convert it first"),
        (np.zeros((10, 2), np.float32), "not float32 (10, 2)"),
        (np.zeros(10, np.int16), "not int16"),
        ([0.0], "not list"),
        (np.full(10, np.nan, np.float32), "NaN or infinite"),
        (np.full(10, -np.inf, np.float32), "NaN or infinite"),
        (np.full(10, 20_000, np.float32), "divide 16-bit samples by 32768"),
    ],
)
def test_what_is_no_audio_is_refused_and_the_stream_goes_on(spoken, bad, said):
    samples = next(audio(spoken))[:12_000]
    stream = spoken.engine.stream(endpoints=None)
    stream.accept(samples[:4000])
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        stream.accept(bad)
    assert said in str(refused.value)
    stream.accept(samples[4000:])
    assert [each.text for each in stream.finish()] == [each.text for each in spoken.engine.recognise(samples)]


def test_the_quantised_network_hears_nearly_the_same(spoken):
    small = Engine.open(spoken.folder, quantised=True)
    assert (spoken.folder / QUANTISED).stat().st_size < (spoken.folder / "model.onnx").stat().st_size
    pairs = [(spoken.engine.recognise(each)[0].text, small.recognise(each)[0].text) for each in audio(spoken)]
    assert sum(full == eight for full, eight in pairs) >= len(pairs) / 2


def test_engines_need_neither_torch_nor_ray(spoken):
    """In a process in which they can't be imported."""
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'ray', 'onnx', 'scipy', 'sklearn', 'pocketsphinx'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import numpy as np\n"
        "from ssl_asr.serving.engine import Engine\n"
        "engine = Engine.open(sys.argv[1])\n"
        "print(len(engine.recognise(np.zeros(16000, np.float32))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(spoken.folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_streams_of_several_threads_do_not_disturb_each_other(spoken):
    clips = [*audio(spoken)][:4]
    alone = [spoken.engine.recognise(samples) for samples in clips]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(spoken.engine.recognise, clips)) == alone


def test_results_have_other_sentences_if_asked(spoken):
    samples = np.concatenate([*audio(spoken)][:2])
    stream = spoken.engine.stream(endpoints=None, alternatives=3)
    (final,) = [*stream.accept(samples), *stream.finish()]
    assert replace(final, alternatives=()) == spoken.engine.recognise(samples)[0]
    texts = [each.text for each in final.alternatives]
    assert 1 < len(texts) == len(set(texts)) <= 3


def test_a_long_stream_keeps_what_a_short_one_keeps(spoken):
    """The kept scores, frames and lookahead have bounds; the filter bank gives its frames away."""
    stream = spoken.engine.stream(endpoints=Endpoints(longest=2.0), confidences=False)
    samples = np.concatenate(list(audio(spoken)))[:40_000]
    kept = []
    for _ in range(6):
        stream.accept(samples)
        kept.append(
            sum(map(len, stream._results._blocks)) + len(stream._network._waiting) + len(stream._frontend._rest)
        )
    assert max(kept) <= 2.0 / 0.03 + 10
