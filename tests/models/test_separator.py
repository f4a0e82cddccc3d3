"""The separator: causal, steps equal to the whole, and one recogniser encoder for all channels."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.models.acoustic import count_parameters
from ssl_asr.models.separator import Separator
from ssl_asr.recipe import SeparatorNetwork

INPUTS = 5


def separator(channels: int = 2, dropout: float = 0.0, **layers: int) -> Separator:
    torch.manual_seed(1)
    section = SeparatorNetwork(channels=channels, units=6, width=4, dropout=dropout, **layers)
    return Separator(section, INPUTS)


def padded(pieces: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(piece) for piece in pieces])
    frames = torch.full((len(pieces), int(lengths.max()), INPUTS), 3.0)
    for row, piece in zip(frames, pieces, strict=True):
        row[: len(piece)] = piece
    return frames, lengths


LAYERS = st.fixed_dictionaries(
    {name: st.integers(1, 2) for name in ("mixture_layers", "separation_layers", "recogniser_layers")}
)
CUTS = st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4), min_size=1, max_size=3)


@given(CUTS, st.integers(1, 3), LAYERS)
@settings(max_examples=40, deadline=None)
def test_any_steps_with_carried_state_equal_the_whole(cuts, channels, layers):
    """Each mixture is cut by itself, so steps are ragged, and some mixtures have no frame in a step."""
    model = separator(channels, **layers).eval()
    steps = max(map(len, cuts))
    counts = [each + [0] * (steps - len(each)) for each in cuts]
    whole = [torch.randn(sum(each) + 1, INPUTS) for each in counts]
    counts = [[*each, 1] for each in counts]
    state, found = model.initial_state(len(whole)), [[] for _ in whole]
    begins = [0] * len(whole)
    with torch.no_grad():
        for step in range(steps + 1):
            now = [each[step] for each in counts]
            pieces = [each[at : at + count] for each, at, count in zip(whole, begins, now, strict=True)]
            begins = [at + count for at, count in zip(begins, now, strict=True)]
            if any(now):
                outputs, state = model(*padded(pieces), state)
                for kept, row, count in zip(found, outputs.unbind(1), now, strict=True):
                    kept.append(row[:, :count])
        together, none = model(*padded(whole))
        assert none is None
        for index, each in enumerate(whole):
            mine = torch.cat(found[index], dim=1)
            torch.testing.assert_close(mine, together[:, index, : len(each)])
            alone, after = model(each[None], torch.tensor([len(each)]), model.initial_state(1))
            torch.testing.assert_close(mine, alone[:, 0])
            for one, other in zip(state, after, strict=True):
                torch.testing.assert_close(one[:, index : index + 1], other)


def test_mixtures_may_be_picked_from_a_state_by_its_dimension_1():
    model = separator().eval()
    frames = torch.randn(3, 8, INPUTS)
    with torch.no_grad():
        outputs, _ = model(frames, torch.tensor([8, 8, 8]), model.initial_state(3))
        _, state = model(frames[:, :5], torch.tensor([5, 5, 5]), model.initial_state(3))
        picked = tuple(each[:, [2, 0]] for each in state)
        later, _ = model(frames[[2, 0], 5:], torch.tensor([3, 3]), picked)
    torch.testing.assert_close(later, outputs[:, [2, 0], 5:])


def test_nothing_depends_on_the_future_or_on_other_mixtures():
    model = separator().eval()
    frames = torch.randn(2, 10, INPUTS, requires_grad=True)
    outputs, _ = model(frames, torch.tensor([10, 10]))
    assert outputs.shape == (2, 2, 10, 4)
    (gradient,) = torch.autograd.grad(outputs[:, 0, 6].sum(), frames)
    assert bool((gradient[0, :7] != 0).any(1).all())
    assert not gradient[0, 7:].any()
    assert not gradient[1].any()


def test_channels_differ_by_their_separation_encoders_alone():
    model = separator(3).eval()
    frames, lengths = torch.randn(2, 7, INPUTS), torch.tensor([7, 7])
    with torch.no_grad():
        before, _ = model(frames, lengths)
        model.separation = torch.nn.ModuleList([model.separation[each] for each in (2, 0, 1)])
        after, _ = model(frames, lengths)
    torch.testing.assert_close(after, before[[2, 0, 1]])
    assert not torch.allclose(before[0], before[1])


def test_each_channel_adds_a_separation_encoder_and_no_recogniser():
    one, two, three = (separator(channels) for channels in (1, 2, 3))
    per_channel = sum(each.numel() for each in one.separation.parameters())
    assert count_parameters(two) - count_parameters(one) == per_channel
    assert count_parameters(three) - count_parameters(two) == per_channel


def test_a_gradient_of_one_channel_reaches_what_it_uses():
    model = separator()
    frames, lengths = torch.randn(2, 7, INPUTS), torch.tensor([7, 4])
    model(frames, lengths)[0][1].square().sum().backward()
    assert all(each.grad is None or not each.grad.any() for each in model.separation[0].parameters())
    used = (model.mixture, model.separation[1], model.recogniser, model.output)
    assert all(bool(each.grad.any()) for module in used for each in module.parameters())


def test_dropout_in_training_alone():
    model = separator(dropout=0.5)
    frames, lengths = torch.randn(1, 7, INPUTS), torch.tensor([7])
    assert not torch.equal(model.train()(frames, lengths)[0], model(frames, lengths)[0])
    assert torch.equal(model.eval()(frames, lengths)[0], model(frames, lengths)[0])


def test_each_layer_is_normalised():
    model, seen = separator().eval(), []
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    for norm in norms:
        norm.register_forward_hook(lambda module, given, found: seen.append(found))
    model(torch.randn(2, 7, INPUTS), torch.tensor([7, 7]))
    assert len(norms) == len(seen) == 2 + 2 * 2 + 2
    for each in seen:
        torch.testing.assert_close(each.mean(-1), torch.zeros(each.shape[:-1]), atol=1e-5, rtol=0)
