"""The penalty against finite differences; strength 0 is plain fine-tuning; a huge one keeps the weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import CrossEntropySection, Optimiser
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.weights import write_weights
from ssl_asr.training.job import TrainingJob, build_loop
from ssl_asr.training.objectives.anchored import PENALTY, Anchor, quadratic_penalty
from ssl_asr.training.sync.group import Worker
from tests.training.synthetic import synthetic_job
from tests.training.test_loop import resumed_equals_unbroken, train

DEV = "dev"


def test_penalty_and_gradient_are_those_of_the_formula() -> None:
    chance = torch.Generator().manual_seed(0)
    shapes = {"a": (3, 2), "b": (4,)}
    theta, start, fisher = (
        {name: torch.rand(shape, generator=chance, dtype=torch.float64) for name, shape in shapes.items()}
        for _ in range(3)
    )
    for importance in (None, fisher):
        ones = {name: torch.ones(shape) for name, shape in shapes.items()} if importance is None else importance
        by_hand = sum(float((ones[n] * (theta[n] - start[n]) ** 2).sum()) for n in shapes) * 3.0 / 2
        assert float(quadratic_penalty(theta, start, importance, 3.0)) == pytest.approx(by_hand, rel=1e-12)

        def penalty(
            a: torch.Tensor, b: torch.Tensor, importance: dict[str, torch.Tensor] | None = importance
        ) -> torch.Tensor:
            return quadratic_penalty({"a": a, "b": b}, start, importance, 3.0)

        inputs = tuple(theta[name].clone().requires_grad_() for name in ("a", "b"))
        assert torch.autograd.gradcheck(penalty, inputs)


def adapting_job(folder: Path, strength: float | None) -> TrainingJob:
    """From a model with random weights; None: without a penalty."""
    run = str(folder)
    job = synthetic_job(run, start="first", optimiser=Optimiser(name="sgd", learning_rate=0.05, momentum=0))
    torch.manual_seed(5)
    model = AcousticModel(job.spec)
    save_model(model_uri(run, "first"), model, {})
    fisher = {name: torch.full_like(each, 0.5) for name, each in model.named_parameters()}
    write_weights(str(folder / "fisher.safetensors"), fisher, {})
    anchor = None if strength is None else Anchor(model_uri(run, "first"), strength, f"{run}/fisher.safetensors")
    objectives = {**job.objectives, DEV: CrossEntropySection()}
    return replace(job, anchor=anchor, objectives=objectives, dev_objective=DEV)


def moved(job: TrainingJob) -> tuple[torch.Tensor, float]:
    """The model at the end, and how far it is from the start."""
    loop = build_loop(job, Worker())
    start = loop.strategy.global_model().clone()
    train(loop)
    return loop.strategy.global_model(), float((loop.strategy.global_model() - start).norm())


def test_strength_0_is_fine_tuning_bit_for_bit_and_more_strength_moves_less(tmp_path: Path) -> None:
    plain, far = moved(adapting_job(tmp_path, None))
    free, _ = moved(adapting_job(tmp_path, 0.0))
    assert torch.equal(plain, free)
    distances = [moved(adapting_job(tmp_path, strength))[1] for strength in (1.0, 30.0)]
    assert far > distances[0] > distances[1]
    # A penalty as stiff as this wants steps below 2 over its curvature.
    stiff = adapting_job(tmp_path, 1e6)
    slow = tuple(replace(phase, learning_rate=1e-6) for phase in stiff.schedule)
    loop = build_loop(replace(stiff, schedule=slow), Worker())
    start = loop.strategy.global_model().clone()
    train(loop)
    assert torch.allclose(loop.strategy.global_model(), start, atol=1e-5)


def test_dev_is_judged_without_the_penalty(tmp_path: Path) -> None:
    job = adapting_job(tmp_path, 100.0)
    loop = build_loop(job, Worker())
    assert PENALTY not in loop.evaluate(job.sources[0], loop.course.objectives[DEV]).figures
    records = train(loop)
    assert all(record.figures[PENALTY] >= 0 for record in records)
    assert any(record.figures[PENALTY] > 0 for record in records)


@pytest.mark.parametrize("setting", ["bmuf with momentum", "gtc, adam"])
def test_resumed_equals_unbroken_bit_for_bit(tmp_path: Path, setting: str) -> None:
    resumed_equals_unbroken(adapting_job(tmp_path, 3.0), tmp_path, setting, workers=2, save_at=2)
