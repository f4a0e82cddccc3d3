"""The acoustic model: published sizes, causality, look-ahead, and batches that don't leak into each other."""

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel, ModelSpec, count_parameters


@pytest.mark.parametrize(("bidirectional", "millions"), [(False, 24.29), (True, 67.4)])
def test_published_sizes(bidirectional: bool, millions: float) -> None:
    spec = ModelSpec(192, 3183, 5, 768, bidirectional)
    with torch.device("meta"):
        model = AcousticModel(spec)
    assert count_parameters(model) / 1e6 == pytest.approx(millions, abs=0.1)


def small(bidirectional: bool, look_ahead: int) -> AcousticModel:
    torch.manual_seed(0)
    model = AcousticModel(ModelSpec(6, 9, 2, 8, bidirectional, look_ahead)).eval()
    model.set_statistics(torch.randn(6), torch.rand(6) + 0.5)
    return model


@pytest.mark.parametrize("look_ahead", [0, 3])
def test_student_hears_only_its_look_ahead(look_ahead: int) -> None:
    model = small(False, look_ahead)
    frames = torch.randn(30, 6)
    changed = frames.clone()
    changed[15] += 1
    (before,), (after,) = model.logits([frames]), model.logits([changed])
    differs = (before != after).any(1).nonzero().squeeze(1)
    assert int(differs.min()) == 15 - look_ahead


def test_teacher_hears_the_whole_utterance() -> None:
    model = small(True, 0)
    frames = torch.randn(30, 6)
    changed = frames.clone()
    changed[29] += 1
    assert bool((model.logits([frames])[0][0] != model.logits([changed])[0][0]).any())


@pytest.mark.parametrize(("bidirectional", "look_ahead"), [(True, 0), (False, 3)])
def test_a_batch_gives_what_each_utterance_gives_alone(bidirectional: bool, look_ahead: int) -> None:
    model = small(bidirectional, look_ahead)
    utterances = [torch.randn(length, 6) for length in (7, 20, 1, 13)]
    together = model.logits(utterances)
    for frames, logits in zip(utterances, together, strict=True):
        assert logits.shape == (len(frames), 9)
        torch.testing.assert_close(logits, model.logits([frames])[0])
