"""A Transformer in ONNX is torch's, in any chunks; what its gates close is neither computed nor kept."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.models.transformer.arbitrators import FeedForwardArbitrator, LstmArbitrator
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Gating, TransformerNetwork
from ssl_asr.serving.exporting.transducers.networks import encoder_onnx
from ssl_asr.serving.exporting.transducers.transformer import chunk
from ssl_asr.serving.exporting.transducers.transformer.nodes import (
    check_transformer_exportable,
    most_kept,
)
from ssl_asr.serving.exporting.transducers.transformer.sure import sure_frames
from ssl_asr.serving.onnx_file import check_onnx
from ssl_asr.serving.streaming.scorer import OnlineNetwork
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_steps import ModelSteps
from tests.models.transformer.small import ALL
from tests.models.transformer.test_encoder import GATINGS
from tests.serving.exporting.transducers.test_networks import encoder
from tests.transducer.small import INPUTS, transducer

LEARNED = {
    **{name: gating for name, gating in GATINGS.items() if gating is None or gating.arbitrator != "random"},
    "single ff, queries": Gating(arbitrator="ff", levels="single", keys=False),
}
SIZES = {"layers": 3, "heads": 2, "width": 8, "feed_forward": 12, "dropout": 0.0}
FRAMES = 30


def gated(
    gating: Gating | None, seed: int = 0, left_context: int | None = None, look_ahead: int = 2
) -> TransducerModel:
    network = TransformerNetwork(gating=gating, left_context=left_context, look_ahead=look_ahead, **SIZES)
    return transducer(network=network, seed=seed, encoder=1.0)


def by_torch(model: TransducerModel, frames: torch.Tensor) -> np.ndarray:
    return ModelSteps(model).project(model.encode_whole(frames[None], torch.tensor([len(frames)]))[0])


def in_pieces(model: TransducerModel, frames: torch.Tensor, block: int, counts: list[int]) -> np.ndarray:
    online, place, found = OnlineNetwork(encoder(model), block), 0, []
    for count in [*counts, len(frames)]:
        found += online.accept(frames[place : place + count].numpy())
        place += count
    return np.concatenate([*found, *online.finish()])


@pytest.mark.parametrize("gating", LEARNED)
@settings(max_examples=12, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), max_size=6),
    block=st.integers(1, 5),
    left_context=st.sampled_from([None, 1, 4]),
    seed=st.integers(0, 99),
)
def test_in_chunks_it_is_torchs_on_the_whole(
    gating: str, counts: list[int], block: int, left_context: int | None, seed: int
) -> None:
    model = gated(LEARNED[gating], seed, left_context)
    frames = torch.randn(FRAMES, INPUTS)
    found, sure = in_pieces(model, frames, block, counts), sure_frames(model, frames.numpy())
    assert found.shape == (FRAMES, model.spec.joiner)
    assert np.abs(found - by_torch(model, frames))[:sure].max(initial=0) < 1e-4


def test_most_of_what_these_tests_compare_is_sure_and_gates_are_open_and_closed() -> None:
    for gating in LEARNED.values():
        models = [gated(gating, seed) for seed in range(5)]
        frames = torch.randn(FRAMES, INPUTS)
        assert sum(sure_frames(model, frames.numpy()) for model in models) > 0.9 * 5 * FRAMES
        if gating is not None:
            kept = [
                _encoder(model).computed(model.normalise(frames[None]), torch.tensor([FRAMES])).keep
                for model in models
            ]
            assert 0.2 < torch.stack(kept).double().mean() < 0.8


@pytest.mark.parametrize("gating", [GATINGS["dual lstm, all"], GATINGS["dual ff, keys"]])
def test_a_key_that_is_off_is_in_no_cache_and_a_window_bounds_it(gating: Gating) -> None:
    model = gated(gating, left_context=6, look_ahead=0)
    frames, network = torch.randn(40, INPUTS), encoder(model)
    _, state = network.run(frames.numpy(), network.initial_state())
    keep = _encoder(model).computed(model.normalise(frames[None]), torch.tensor([40])).keep[0]
    wanted = []
    for layer in range(3):
        keys = model.encoder.parts.split(keep[-6:, layer]).keys
        assert keys is not None
        wanted += [(int(n), 4) for n in keys.sum(0) for _ in ("keys", "values")]
    assert [each.shape for each in state if each.ndim == 2 and each.shape[1] == 4] == wanted
    assert len(set(wanted)) > 2


@pytest.mark.parametrize("gating", ["none", "dual lstm, all"])
def test_without_a_bound_of_its_own_it_looks_back_at_so_many_frames(
    gating: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk, "MOST_CONTEXT", 5)
    unbounded, bounded = (gated(LEARNED[gating], left_context=context) for context in (None, 5))
    frames = torch.randn(FRAMES, INPUTS)
    assert np.abs(in_pieces(unbounded, frames, 3, []) - by_torch(bounded, frames)).max() < 1e-4
    network = encoder(unbounded)
    _, state = network.run(frames.numpy(), network.initial_state())
    assert max(max(each.shape) for each in state) <= 8


def test_a_closed_module_takes_no_row() -> None:
    """All gates are off: no product of a block has a row."""
    model = gated(Gating(arbitrator="ff", levels="single", **ALL))
    (arbitrator,) = model.encoder.arbitrators
    assert isinstance(arbitrator, FeedForwardArbitrator)
    arbitrator.decide.bias.data.fill_(-1e4)
    exported = onnx.load_model_from_string(encoder_onnx(model))
    products = [
        each.output[0]
        for each in exported.graph.node
        if each.op_type in ("MatMul", "Gemm") and ".blocks." in each.output[0]
    ]
    assert len(products) == 3 * (2 * 5 + 2)
    inferred = onnx.shape_inference.infer_shapes(exported)
    shown = {each.name: each for each in inferred.graph.value_info}
    exported.graph.output.extend(shown[name] for name in products)
    import onnxruntime

    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    state = {
        each.name: np.zeros([0 if isinstance(side, str) else side for side in each.shape], np.float32)
        for each in session.get_inputs()
    }
    rows = session.run(products, state | {"frames": np.ones((1, 3, INPUTS), np.float32)})
    assert {len(each) for each in rows} == {0}


def test_equal_models_give_equal_files_that_a_reader_takes() -> None:
    for gating in LEARNED.values():
        one, other = encoder_onnx(gated(gating)), encoder_onnx(gated(gating))
        assert one == other
        check_onnx(one)


def test_random_gates_and_too_long_a_memory_are_refused() -> None:
    with pytest.raises(
        ValueError, match="random gates can't be exported: they are what learned gates are compared wi"
    ):
        encoder_onnx(gated(GATINGS["random"]))
    for context, refused in ((None, False), (1_249_999, False), (1_250_000, True)):
        small = Transformer(TransformerNetwork(left_context=context, layers=1, width=8, heads=1, feed_forward=4), 3)
        with pytest.raises(ValueError, match="more than the 20,000,000") if refused else nullcontext():
            check_transformer_exportable(small)


@pytest.mark.parametrize("gating", LEARNED)
def test_the_state_of_a_long_stream_is_as_large_as_is_counted(gating: str) -> None:
    model = gated(LEARNED[gating], left_context=6)
    for each in _encoder(model).arbitrators:
        assert isinstance(each, FeedForwardArbitrator | LstmArbitrator)
        each.decide.bias.data.fill_(1e4)
    network = encoder(model)
    _, state = network.run(np.ones((40, INPUTS), np.float32), network.initial_state())
    assert sum(each.size for each in state) == most_kept(_encoder(model))


@pytest.mark.parametrize("gating", ["none", "single ff, queries"])
@pytest.mark.parametrize("look_ahead", [0, 2])
def test_outputs_that_look_further_back_than_a_bundle_does_are_not_compared(
    gating: str, look_ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunk, "MOST_CONTEXT", 5)
    model = gated(LEARNED[gating], look_ahead=look_ahead)
    frames = torch.randn(FRAMES, INPUTS)
    sure = sure_frames(model, frames.numpy())
    assert sure == 6 - look_ahead
    apart = np.abs(in_pieces(model, frames, 3, []) - by_torch(model, frames)).max(1)
    assert apart[:sure].max() < 1e-4 < apart[sure]


def test_outputs_are_sure_up_to_the_first_gate_in_doubt() -> None:
    for place, ahead in product((0, 7, 29), (0, 2)):
        model = gated(Gating(arbitrator="ff", levels="single", **ALL), look_ahead=ahead)
        frames = torch.randn(FRAMES, INPUTS)
        (arbitrator,) = model.encoder.arbitrators
        assert isinstance(arbitrator, FeedForwardArbitrator)
        assert sure_frames(model, frames.numpy()) == FRAMES
        logits, _ = arbitrator(model.normalise(frames[None]), torch.tensor([FRAMES]), None, torch.tensor([0]))
        arbitrator.decide.bias.data[4] -= logits[0, place].flatten()[4].detach()
        assert sure_frames(model, frames.numpy()) == max(place - ahead, 0)


def _encoder(model: TransducerModel) -> Transformer:
    assert isinstance(model.encoder, Transformer)
    return model.encoder
