"""The frame objectives as the loop calls them: weights, figures, and meters that add them up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.recipe import SoftCrossEntropySection
from ssl_asr.training.data.batches import Piece, collate, cut
from ssl_asr.training.data.sources import SlabRef
from ssl_asr.training.job import build_model
from ssl_asr.training.meter import Meter
from ssl_asr.training.objectives.frames import valid_logits
from ssl_asr.training.objectives.objective import Loss, Objective, build_objective
from ssl_asr.training.schedule import UNLABELED
from ssl_asr.training.sync.group import SingleWorker, Worker
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from tests.training.synthetic import SENONES, Synthetic, source, synthetic_job

JOB = synthetic_job()
NAMES = tuple(JOB.objectives)
LOOK_AHEAD = JOB.spec.network.look_ahead


def model() -> AcousticModel:
    return build_model(JOB).eval()


def objective(name: str) -> Objective:
    return build_objective(JOB.objectives[name])


def pieces(name: str, *weights: float) -> list[Piece]:
    """Three utterances whole, of these weights."""
    ref: SlabRef = source("labeled", 1).slab(0)
    examples = Synthetic(utterances=3).read(name, ref, 0)
    return cut([replace(each, weight=weight) for each, weight in zip(examples, weights, strict=True)], None)


def scored(name: str, parts: list[Piece]) -> tuple[Loss, list[torch.Tensor]]:
    """The loss and the gradient of every parameter."""
    network = model()
    found = objective(name).loss(network, collate(parts, LOOK_AHEAD))
    return found, list(torch.autograd.grad(found.loss, list(network.parameters())))


@pytest.mark.parametrize("name", NAMES)
def test_the_weight_is_known_before_the_batch_is_made(name: str) -> None:
    for weights in ((1.0, 1.0, 1.0), (0.5, 2.0, 0.0)):
        parts = pieces(name, *weights)
        frames = [piece.count for piece in parts]
        assert objective(name).weight(parts) == scored(name, parts)[0].weight == np.dot(frames, weights)


def test_a_temperature_divides_the_logits_of_both_sides_and_keeps_the_size_of_the_gradient() -> None:
    parts = pieces(UNLABELED, 1.0, 1.0, 1.0)
    batch = collate(parts, LOOK_AHEAD)
    network = model()
    warm = build_objective(SoftCrossEntropySection(temperature=2.0)).loss(network, batch)
    logits_nv = valid_logits(network, batch)
    assert batch.posteriors is not None
    teacher_nk = (batch.posteriors.log() / 2).softmax(1)
    student_nk = (logits_nv / 2).log_softmax(1).gather(1, batch.senones)
    torch.testing.assert_close(warm.loss, -4 * (teacher_nk * student_nk).sum(1).mean())
    cold, _ = scored(UNLABELED, parts)
    assert warm.figures == cold.figures
    assert build_objective(SoftCrossEntropySection()).loss(network, batch).loss == cold.loss


def test_a_tail_is_a_class_of_the_loss_and_no_label() -> None:
    """The second senone of the targets becomes the tail; in the second half of the frames it comes first."""
    parts, network = pieces(UNLABELED, 1.0, 0.5, 1.0), model()
    batch = collate(parts, LOOK_AHEAD)
    assert batch.posteriors is not None
    senones, posteriors = batch.senones.clone(), batch.posteriors.clone()
    senones[:, 1] = SENONES
    swapped = torch.arange(len(senones)) >= len(senones) // 2
    senones[swapped], posteriors[swapped] = senones[swapped][:, [1, 0, 2]], posteriors[swapped][:, [1, 0, 2]]
    with_tail = replace(batch, senones=senones, posteriors=posteriors)
    found = objective(UNLABELED).loss(network, with_tail)
    log_probs = valid_logits(network, batch).log_softmax(1)
    assert batch.weights is not None
    kept = torch.zeros_like(log_probs, dtype=torch.bool).scatter(1, batch.senones[:, [0, 2]], True)
    log_classes = log_probs.gather(1, batch.senones)
    log_classes[:, 1] = log_probs.masked_fill(kept, -torch.inf).logsumexp(1)
    each = -(batch.posteriors * log_classes).sum(1)
    torch.testing.assert_close(found.loss, (each * batch.weights).sum() / batch.weight)
    assert found.figures == objective(UNLABELED).loss(network, batch).figures


@pytest.mark.parametrize("name", NAMES)
def test_an_example_of_weight_two_is_two_examples(name: str) -> None:
    first, second, third = pieces(name, 1.0, 1.0, 1.0)
    found, gradients = scored(name, pieces(name, 2.0, 1.0, 0.0))
    twice, wanted = scored(name, [first, first, second])
    assert third.count
    assert found.weight == twice.weight
    torch.testing.assert_close(found.loss, twice.loss)
    torch.testing.assert_close(gradients, wanted)
    assert float(found.figures["frame_accuracy"]) == pytest.approx(float(twice.figures["frame_accuracy"]))


@pytest.mark.parametrize("name", NAMES)
def test_equal_weights_change_neither_mean_nor_share(name: str) -> None:
    plain, gradients = scored(name, pieces(name, 1.0, 1.0, 1.0))
    third, scaled = scored(name, pieces(name, 0.3, 0.3, 0.3))
    torch.testing.assert_close(third.loss, plain.loss)
    torch.testing.assert_close(scaled, gradients)
    share = float(plain.figures["frame_accuracy"]) / plain.weight
    assert float(third.figures["frame_accuracy"]) / third.weight == pytest.approx(share)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_that_weighs_nothing_moves_nothing(name: str) -> None:
    found, gradients = scored(name, pieces(name, 0.0, 0.0, 0.0))
    assert (float(found.loss.detach()), found.weight) == (0.0, 0.0)
    assert all(bool((each == 0).all()) for each in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_padding_is_never_counted(name: str) -> None:
    parts = pieces(name, 1.0, 1.0, 1.0)
    together, _ = scored(name, parts)
    alone = [scored(name, [part])[0] for part in parts]
    mean = sum(float(each.loss) * each.weight for each in alone) / together.weight
    assert float(together.loss) == pytest.approx(mean, rel=1e-5)
    right = sum(float(each.figures["frame_accuracy"]) for each in alone)
    assert float(together.figures["frame_accuracy"]) == right


def loss(value: float, weight: float, **figures: float) -> Loss:
    return Loss(torch.tensor(value), weight, {name: torch.tensor(each) for name, each in figures.items()})


def test_a_meter_means_by_weight_over_all_workers_and_keeps_figures_by_name() -> None:
    def work(group: SimulatedGroup) -> tuple[float, dict[str, float]]:
        meter = Meter(("right", "sure"), torch.device("cpu"))
        meter.add(loss(2.0, 0.5, sure=0.25, right=0.5))
        if group.rank == 1:
            meter.add(loss(1.0, 3.0, sure=1.5, right=0.0))
            meter.add(loss(float("nan"), 0.5, sure=100.0, right=100.0))
        means = meter.over_all(Worker(group))
        return means.loss, means.figures

    for mean, figures in simulate(2, work):
        assert mean == pytest.approx((2 * 0.5 * 2 + 3) / 4.5)
        assert figures == {"right": pytest.approx(1 / 4.5), "sure": pytest.approx(2 / 4.5)}


def test_an_empty_meter_says_nothing_wrong() -> None:
    means = Meter(("right",), torch.device("cpu")).over_all(Worker(SingleWorker()))
    assert (means.loss, means.figures) == (0.0, {"right": 0.0})
