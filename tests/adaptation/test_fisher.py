"""The Fisher information against a loop by hand, and against the closed form of a linear softmax."""

import pytest
import torch

from ssl_asr.adaptation.average import averaged
from ssl_asr.adaptation.fisher import diagonal_fisher, drawn_labels, score_gradients, utterance_logits
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import LstmNetwork
from ssl_asr.training.data.sources import seed_of

INPUTS, SENONES = 6, 4


@pytest.fixture
def model() -> AcousticModel:
    torch.manual_seed(0)
    return AcousticModel(ModelSpec(LstmNetwork(layers=1, units=5, look_ahead=2, dropout=0.3), INPUTS, SENONES))


@pytest.fixture
def utterances() -> list[tuple[str, torch.Tensor]]:
    chance = torch.Generator().manual_seed(1)
    return [(f"u{n}", torch.randn(length, INPUTS, generator=chance)) for n, length in enumerate((3, 9, 5))]


def test_equals_a_loop_by_hand(model: AcousticModel, utterances: list[tuple[str, torch.Tensor]]) -> None:
    found = diagonal_fisher(model, utterances, seed=7)
    by_hand = {name: torch.zeros_like(each) for name, each in model.named_parameters()}
    for name, frames_td in utterances:
        (logits_tv,) = model.logits([frames_td])
        labels = drawn_labels(logits_tv, seed_of(7, "fisher", name))
        model.zero_grad()
        padded = torch.cat([frames_td, frames_td[-1:].expand(2, -1)])
        scores = model(padded[None], torch.tensor([len(padded)]))[0, 2:].log_softmax(1)
        sum(scores[place, label] for place, label in enumerate(labels)).backward()  # type: ignore[union-attr]
        for each, parameter in model.named_parameters():
            assert parameter.grad is not None
            by_hand[each] += parameter.grad**2
    frames = sum(len(frames_td) for _, frames_td in utterances)
    for name, each in found.items():
        torch.testing.assert_close(each, by_hand[name] / frames)
    again = diagonal_fisher(model, reversed(utterances), seed=7)  # the labels follow from ids, not from the order
    assert all(torch.allclose(again[name], found[name]) for name in found)


def test_of_the_linear_softmax_it_is_p_times_one_minus_p_times_the_input(model: AcousticModel) -> None:
    """Of one frame, in expectation over labels: F of a weight from input d to senone k is p_k (1 - p_k) h_d^2."""
    frames_td = torch.randn(1, INPUTS, generator=torch.Generator().manual_seed(3))
    model.eval()
    probabilities = utterance_logits(model, frames_td).softmax(1)[0].detach()
    hidden, _ = model.encode(frames_td.expand(3, -1)[None], torch.tensor([3]))
    names = [name for name, _ in model.named_parameters()]
    place = names.index("senones.weight")
    expected = torch.zeros(SENONES, hidden.shape[-1])
    for label in range(SENONES):
        gradients = score_gradients(model, utterance_logits(model, frames_td), torch.tensor([label]))
        expected += probabilities[label] * gradients[place] ** 2
    closed = (probabilities * (1 - probabilities))[:, None] * hidden[0, 2].detach()[None] ** 2
    torch.testing.assert_close(expected, closed)


def test_labels_are_drawn_from_the_softmax() -> None:
    logits_tv = torch.tensor([0.5, 0.3, 0.2]).log().expand(20000, 3)
    shares = torch.bincount(drawn_labels(logits_tv, 1)) / 20000
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.2]), atol=0.02)
    assert torch.equal(drawn_labels(logits_tv, 1), drawn_labels(logits_tv, 1))


def test_without_speech_it_is_refused(model: AcousticModel) -> None:
    with pytest.raises(ValueError, match="no training speech"):
        diagonal_fisher(model, [], seed=1)


def test_averages_are_exact_at_both_ends() -> None:
    start, adapted = {"a": torch.randn(50)}, {"a": torch.randn(50)}
    assert torch.equal(averaged(start, adapted, 0)["a"], start["a"])
    assert torch.equal(averaged(start, adapted, 1)["a"], adapted["a"])
    torch.testing.assert_close(averaged(start, adapted, 0.25)["a"], 0.75 * start["a"] + 0.25 * adapted["a"])
