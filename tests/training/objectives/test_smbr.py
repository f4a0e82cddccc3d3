from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import Batching, CrossEntropySection, SmbrSection
from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.smbr import expected_accuracy
from ssl_asr.training.data.batches import Batch, batches_of, collate
from ssl_asr.training.job import build_model
from ssl_asr.training.objectives.cross_entropy import CrossEntropy
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.objectives.smbr import Smbr
from tests.training.synthetic import synthetic_job
from tests.training.with_lattices import WithLattices

KAPPA = 0.5


def _batch(**changes: object) -> Batch:
    job = synthetic_job()
    examples = WithLattices(**changes).read("labeled", job.sources[0].slab(0), 0)
    (pieces,) = batches_of(examples, True, Batching(batch_frames=10_000), 2, np.random.default_rng(0))
    return collate(pieces, 2)


@pytest.fixture
def model():
    return build_model(synthetic_job()).eval()


def _rows(model, batch: Batch) -> torch.Tensor:
    return model(batch.frames, batch.lengths)[batch.valid]


def test_the_loss_is_minus_the_share_of_frames_right_plus_the_smoothing(model):
    batch = _batch()
    objective = build_objective(SmbrSection(kappa=KAPPA, smoothing_weight=0.2))
    assert isinstance(objective, Smbr)
    scored = objective.loss(model, batch)
    lattices = concatenate([piece.example.lattice for piece in batch.pieces])
    found = expected_accuracy(_rows(model, batch), batch.senones[:, 0], lattices, kappa=KAPPA)
    entropy = CrossEntropy(CrossEntropySection()).loss(model, batch)
    frames = len(batch.senones)
    assert scored.weight == objective.weight(batch.pieces) == frames
    assert scored.figures["expected_accuracy"].item() == pytest.approx(found.accuracies.sum().item())
    assert scored.loss.item() == pytest.approx(0.2 * entropy.loss.item() - found.accuracies.sum().item() / frames)
    assert scored.figures["frame_accuracy"] == entropy.figures["frame_accuracy"]
    assert scored.figures["lost_frames"] == 0


def test_weights_weigh_utterances(model):
    """An utterance of weight 2 counts as if it were there twice, one of weight 0 not at all."""
    examples = WithLattices(utterances=3).read("labeled", synthetic_job().sources[0].slab(0), 0)
    weighted = [replace(each, weight=weight) for each, weight in zip(examples, (1.0, 2.0, 0.0), strict=True)]
    repeated = [examples[0], examples[1], examples[1]]
    objective = Smbr(SmbrSection(kappa=KAPPA))
    losses = []
    for some in (weighted, repeated):
        (pieces,) = batches_of(some, True, Batching(batch_frames=10_000), 2, np.random.default_rng(0))
        losses.append(objective.loss(model, collate(pieces, 2)))
    assert losses[0].weight == losses[1].weight
    assert losses[0].loss.item() == pytest.approx(losses[1].loss.item(), abs=1e-5)
    for name in objective.figures:
        assert losses[0].figures[name].item() == pytest.approx(losses[1].figures[name].item(), abs=1e-5)


def test_divergence_from_the_start_is_zero_there_and_grows(model, tmp_path: Path):
    start = str(tmp_path / "start.safetensors")
    save_model(start, model, {})
    batch = _batch()
    objective = Smbr(SmbrSection(kappa=KAPPA, smoothing="kl", smoothing_weight=1.0, start=start))

    def divergence() -> float:
        scored = objective.loss(model, batch)
        return scored.loss.item() + scored.figures["expected_accuracy"].item() / scored.weight

    assert divergence() == pytest.approx(0, abs=1e-5)
    before = _rows(model, batch).log_softmax(1).detach()
    with torch.no_grad():
        model.senones.bias[0] += 1.0
    after = _rows(model, batch).log_softmax(1).detach()
    assert divergence() == pytest.approx((before.exp() * (before - after)).sum(1).mean().item(), abs=1e-5)


def test_steps_on_one_batch_raise_its_expected_accuracy(model):
    batch, objective = _batch(), Smbr(SmbrSection(kappa=KAPPA, smoothing_weight=0.0))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    seen = []
    for _ in range(10):
        scored = objective.loss(model, batch)
        seen.append(scored.figures["expected_accuracy"].item())
        optimiser.zero_grad()
        scored.loss.backward()
        optimiser.step()
    assert seen[-1] > seen[0] + 1
