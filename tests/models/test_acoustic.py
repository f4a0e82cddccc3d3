"""The acoustic model: published sizes, causality, look-ahead, and batches that don't leak into each other."""

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_cells, count_parameters
from ssl_asr.recipe import BlstmNetwork, LstmNetwork, NetworkSection

STUDENT = LstmNetwork(layers=2, units=8, look_ahead=3)
TEACHER = BlstmNetwork(layers=2, units=8)


@pytest.mark.parametrize(("network", "millions"), [(LstmNetwork(), 24.29), (BlstmNetwork(), 67.4)])
def test_published_sizes(network: NetworkSection, millions: float) -> None:
    with torch.device("meta"):
        model = AcousticModel(ModelSpec(network, 192, 3183))
    assert count_parameters(model) / 1e6 == pytest.approx(millions, abs=0.1)
    assert count_cells(model) == 5 * 768 * (1 if model.encoder.is_causal else 2)


def small(network: NetworkSection) -> AcousticModel:
    torch.manual_seed(0)
    model = AcousticModel(ModelSpec(network, 6, 9)).eval()
    model.set_statistics(torch.randn(6), torch.rand(6) + 0.5)
    return model


@pytest.mark.parametrize("look_ahead", [0, 3])
def test_student_hears_only_its_look_ahead(look_ahead: int) -> None:
    model = small(STUDENT.model_copy(update={"look_ahead": look_ahead}))
    frames = torch.randn(30, 6)
    changed = frames.clone()
    changed[15] += 1
    (before,), (after,) = model.logits([frames]), model.logits([changed])
    differs = (before != after).any(1).nonzero().squeeze(1)
    assert int(differs.min()) == 15 - look_ahead


def test_teacher_hears_the_whole_utterance() -> None:
    model = small(TEACHER)
    frames = torch.randn(30, 6)
    changed = frames.clone()
    changed[29] += 1
    assert bool((model.logits([frames])[0][0] != model.logits([changed])[0][0]).any())


@pytest.mark.parametrize("network", [TEACHER, STUDENT])
def test_a_batch_gives_what_each_utterance_gives_alone(network: NetworkSection) -> None:
    model = small(network)
    utterances = [torch.randn(length, 6) for length in (7, 20, 1, 13)]
    together = model.logits(utterances)
    for frames, logits in zip(utterances, together, strict=True):
        assert logits.shape == (len(frames), 9)
        torch.testing.assert_close(logits, model.logits([frames])[0])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("network", [TEACHER, STUDENT])
def test_training_and_labelling_hear_the_same(network: NetworkSection, training: bool) -> None:
    """What the loop encodes and classifies is what `logits` says, whatever the padding and the mode."""
    model = small(network.model_copy(update={"dropout": 0.0})).train(training)
    ahead = model.encoder.look_ahead
    utterances = [torch.randn(length, 6) for length in (7, 20, 13)]
    longer = [torch.cat([each, each[-1:].expand(ahead, -1)]) for each in utterances]
    lengths = torch.tensor([len(each) for each in longer])
    hidden, state = model.encode(
        torch.nn.utils.rnn.pad_sequence(longer, batch_first=True, padding_value=9.0), lengths
    )
    assert state is None
    for row, length, said in zip(model.classify(hidden), lengths, model.logits(utterances), strict=True):
        torch.testing.assert_close(row[ahead:length], said)


def test_frames_are_augmented_in_training_alone_after_they_are_normalised() -> None:
    model = small(STUDENT)
    seen: list[torch.Tensor] = []

    def hide(frames: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
        assert mine is lengths
        seen.append(frames.clone())
        return frames * 0

    model.augment = hide
    frames, lengths = torch.randn(2, 12, 6), torch.tensor([12, 9])
    model.encode(frames, lengths)
    assert not seen
    hidden, _ = model.train().encode(frames, lengths)
    torch.testing.assert_close(seen[0], model.normalise(frames))
    silent, _ = model.encoder(torch.zeros(2, 12, 6), lengths)
    assert seen
    assert hidden.shape == silent.shape
