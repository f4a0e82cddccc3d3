"""The Transformer encoder: what is skipped changes nothing else, in one piece, in chunks and frame by frame."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.models.encoder import EncoderState
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.models.transformer.gates import Annealed
from ssl_asr.models.transformer.held import held_of
from ssl_asr.models.transformer.single import TIDY
from ssl_asr.recipe import Gating, TransformerNetwork, load_recipe, parse_recipe
from tests.models.transformer.small import ALL, WIDTH, padded, transformer

GATINGS = {
    "none": None,
    "single ff, all": Gating(arbitrator="ff", levels="single", **ALL),
    "dual lstm, all": Gating(arbitrator="lstm", layers=1, units=6, **ALL),
    "dual ff, keys": Gating(arbitrator="ff", queries=False),
    "single lstm, feed-forward": Gating(
        arbitrator="lstm", units=6, levels="single", queries=False, keys=False, feed_forward=True
    ),
    "random": Gating(arbitrator="random", **ALL),
    "random by module": Gating(arbitrator="random", keep_rates=(0.8, 0.5, 0.2), **ALL),
}


def as_dense(made: Transformer, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """All computed and multiplied by 0 or 1: samples at a temperature that leaves nothing between."""
    made.annealed = made.annealed and Annealed(0.0, 1e-9, 0.0)
    for arbitrator in made.arbitrators:
        arbitrator.eval()
    made.training = True
    outputs, _ = made(frames, lengths)
    return outputs


def in_pieces(made: Transformer, frames: torch.Tensor, lengths: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Outputs of chunks of these sizes in turn, with carried state; rows that have ended are empty."""
    state, found, begin = made.initial_state(len(frames)), [], 0
    while begin < frames.shape[1]:
        chunk = frames[:, begin : begin + sizes[len(found) % len(sizes)]]
        outputs, after = made(chunk, (lengths - begin).clamp(0, chunk.shape[1]), state)
        assert after is not None
        assert all(each.shape[1] == len(frames) for each in after)
        state = after
        found.append(outputs)
        begin += chunk.shape[1]
    return torch.cat(found, 1)


@pytest.mark.parametrize("gating", GATINGS)
@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    sizes=st.lists(st.sampled_from([1, 2, 5]), min_size=1, max_size=4),
    left_context=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 99),
)
def test_skipping_equals_computing_all_and_masking_it(
    gating: str, lengths: list[int], sizes: list[int], left_context: int | None, seed: int
) -> None:
    """Of ragged batches, whole, in any chunks, and each utterance alone frame by frame."""
    made = transformer(GATINGS[gating], seed=seed, left_context=left_context)
    frames, counts = padded([torch.randn(length, WIDTH) for length in lengths], value=9.0)
    with torch.inference_mode():
        whole, state = made(frames, counts)
        chunked = in_pieces(made, frames, counts, sizes)
        alone = [
            in_pieces(made, row[None, :n], counts[:1] * 0 + n, [1])[0] for row, n in zip(frames, lengths, strict=True)
        ]
        dense = as_dense(made, frames, counts)
    assert state is None
    for row, length in enumerate(lengths):
        for other in (chunked[row, :length], alone[row], dense[row, :length]):
            torch.testing.assert_close(other, whole[row, :length], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gating", GATINGS)
@pytest.mark.parametrize("training", [False, True])
def test_no_output_sees_the_future_or_beyond_its_left_context(gating: str, training: bool) -> None:
    made = transformer(GATINGS[gating], layers=2, left_context=4).train(training)
    frames, lengths = torch.randn(1, 24, WIDTH), torch.tensor([24])
    changed = frames.clone()
    changed[:, 9] += 3

    def outputs(inputs: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return made(inputs, lengths)[0][0]

    differs = (outputs(frames) != outputs(changed)).any(1).nonzero().squeeze(1).tolist()
    assert differs[0] == 9
    if "lstm" not in gating:  # which remembers longer
        assert differs[-1] <= 9 + 2 * 4


def test_a_key_that_is_off_is_in_no_cache_and_a_window_bounds_it() -> None:
    made = transformer(Gating(arbitrator="random", keep_rate=0.4, **ALL), left_context=6)
    frames = torch.randn(1, 40, WIDTH)
    with torch.inference_mode():
        computed = made.computed(frames, torch.tensor([40]))
        state = made.initial_state(1)
        for frame in frames[0]:
            _, after = made(frame[None, None], torch.tensor([1]), state)
            assert after is not None
            state = after
    for layer, cache in enumerate(held_of(state, [0, 0]).caches):
        positions = cache.positions
        kept = made.parts.split(computed.keep[0, :, layer]).keys
        assert kept is not None
        for head, row in enumerate(positions[:, 0]):
            held = [place for place in row.tolist() if place >= 40 - 6]
            assert held == [place for place in range(34, 40) if kept[place, head]]
        assert positions.shape[2] <= 6 + TIDY
        assert cache.keys_values.shape[2] <= 6 + 2 * TIDY


@pytest.mark.parametrize("gating", ["none", "dual lstm, all"])
def test_a_state_may_be_gone_on_from_twice(gating: str) -> None:
    """Though frames are written behind its end."""
    made = transformer(GATINGS[gating], left_context=5)
    before, one, other = torch.randn(1, 9, WIDTH), torch.randn(1, 7, WIDTH), torch.randn(1, 7, WIDTH)

    def after(frames: torch.Tensor, state: EncoderState) -> tuple[torch.Tensor, EncoderState]:
        outputs = []
        for frame in frames[0]:
            output, following = made(frame[None, None], torch.tensor([1]), state)
            assert following is not None
            state = following
            outputs.append(output)
        return torch.cat(outputs, 1), state

    with torch.inference_mode():
        _, state = after(before, made.initial_state(1))
        first, middle = after(one[:, :3], state)
        second, _ = after(other, state)
        rest, _ = after(one[:, 3:], middle)
        for frames, found in ((one, torch.cat([first, rest], 1)), (other, second)):
            whole, _ = made(torch.cat([before, frames], 1), torch.tensor([16]))
            torch.testing.assert_close(found, whole[:, 9:], rtol=1e-4, atol=1e-5)
    with torch.no_grad():  # memory of inference mode is left alone
        torch.testing.assert_close(after(other, state)[0], second)


def test_everything_off_is_the_identity() -> None:
    made = transformer(Gating(arbitrator="random", keep_rate=0.0, **ALL))
    frames, lengths = padded([torch.randn(7, WIDTH), torch.randn(4, WIDTH)])
    for training in (False, True):
        torch.testing.assert_close(made.train(training)(frames, lengths)[0], made.norm(made.input(frames)))


def test_random_gates_close_once_training_has_begun_to_close_them() -> None:
    made, open_ = transformer(Gating(arbitrator="random", begin=0.4, **ALL)), transformer()
    frames, lengths = torch.randn(1, 9, WIDTH), torch.tensor([9])

    def differs(progress: float | None) -> list[bool]:
        if progress is not None:
            made.set_progress(progress)
        found = []
        for training in (False, True):
            outputs = [each.train(training)(frames, lengths)[0] for each in (made, open_)]
            found.append(not all(torch.allclose(*pair, atol=1e-6) for pair in zip(*outputs, strict=True)))
        return found

    assert differs(None) == [True, True]  # a network that no training has told its place is a trained one
    assert differs(0.0) == differs(0.4) == [False, False]
    assert differs(0.41) == differs(1.0) == [True, True]
    made.set_progress(0.0)
    assert float(made.computed(frames, lengths).keep.float().mean()) == 1


def test_labelling_in_bfloat16_skips_too() -> None:
    made = transformer(GATINGS["random"])
    frames, lengths = padded([torch.randn(7, WIDTH), torch.randn(4, WIDTH)])
    with torch.inference_mode():
        exact, _ = made(frames, lengths)
        with torch.autocast("cpu", torch.bfloat16):
            coarse, _ = made(frames, lengths)
    torch.testing.assert_close(coarse.float(), exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("gating", ["single ff, all", "dual lstm, all", "dual ff, keys"])
def test_gradients_reach_the_arbitrators_from_both_losses(gating: str) -> None:
    made = transformer(GATINGS[gating]).train()
    frames, lengths = padded([torch.randn(7, WIDTH), torch.randn(4, WIDTH)])
    made.set_progress(0.8)
    names = [name for name, _ in made.arbitrators.named_parameters()]
    outputs, _ = made(frames, lengths)
    own = made.take_own_loss()
    assert own is not None
    assert made.take_own_loss() is None
    for loss in (outputs.square().sum(), own.loss):
        gradients = torch.autograd.grad(loss, list(made.arbitrators.parameters()), retain_graph=True)
        assert [name for name, each in zip(names, gradients, strict=True) if not bool((each != 0).any())] == []


def test_published_size_and_defaults() -> None:
    """X22's encoder: 12 layers of 4 heads, width 516, feed-forward 1024."""
    with torch.device("meta"):
        made = Transformer(TransformerNetwork(), 192)
        gated = Transformer(TransformerNetwork(gating=Gating()), 192)
        small = Transformer(TransformerNetwork(gating=Gating(arbitrator="ff", levels="single")), 192)
    count = [sum(each.numel() for each in network.parameters()) for network in (made, gated, small)]
    assert count[0] == 25_623_948
    assert count[1] - count[0] == 772_192  # the paper: 0.08 to 1 M
    assert count[2] - count[0] == 53_600


def test_a_recipe_chooses_it() -> None:
    network = load_recipe(
        "demo", ["student.network.kind=transformer", "student.network.gating.units=64"]
    ).student.network
    assert isinstance(network, TransformerNetwork)
    assert network.gating == Gating(units=64)
    for override, said in {
        "width=10": "width=10 is not a multiple of heads=4",
        "gating={queries: false, keys: false}": "nothing is gated",
        "gating={begin: 1.0}": "begin=1 is not below end=1",
        "gating.unit=7": "did you mean 'units'",
        "gating={keep_rates: [0.5, 0.5, 0.5]}": "keep_rates are for arbitrator=random without flops_of",
        "gating={arbitrator: random, flops_of: a, keep_rates: [1, 1, 1]}": "without flops_of; leave them out",
        "gating={arbitrator: random, keep_rate: 0.3, keep_rates: [1, 1, 1]}": (
            "student.network.gating.keep_rate=0.3 has no effect beside keep_rates; leave it out"
        ),
        "gating={keep_rate: 0.3}": "keep_rate=0.3 has no effect beside arbitrator=lstm; leave it out",
    }.items():
        with pytest.raises(ValueError, match=said) as refused:
            load_recipe("demo", ["student.network.kind=transformer", f"student.network.{override}"])
        assert "\n" not in str(refused.value)


def test_written_forms_hold_both_rates_and_are_read() -> None:
    """A run's recipe holds all defaults, and a model's file a keep rate that its keep rates have replaced."""
    gates = "student.network.gating={arbitrator: random, keep_rates: [1, 0.5, 0.2]}"
    recipe = load_recipe("demo", ["student.network.kind=transformer", gates])
    written = recipe.model_dump(mode="json")
    assert {"keep_rate", "keep_rates"} <= written["student"]["network"]["gating"].keys()
    assert parse_recipe(written) == recipe
    network = {**written["student"]["network"]}
    network["gating"] = {**network["gating"], "keep_rate": 0.3}
    gating = TransformerNetwork.model_validate(network).gating
    assert gating is not None
    assert gating.random_rates == (1, 0.5, 0.2)
