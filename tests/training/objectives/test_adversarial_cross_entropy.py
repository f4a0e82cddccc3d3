"""An adversary in the labeled loss: its weights, its place in checkpoints, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import AdversarialCrossEntropySection, CrossEntropySection, Sync
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.acoustic_plan import DEV, judged
from ssl_asr.training.checkpoints.accounting import write_schedule
from ssl_asr.training.curve import read_curve
from ssl_asr.training.data.batches import Batch, collate, cut
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import SlabRef, SourceName
from ssl_asr.training.job import TrainingJob, build_loop, build_model
from ssl_asr.training.objectives.adversarial_cross_entropy import (
    UNWEIGHTED_LOSS,
    WEIGHT_VARIANCE,
    AdversarialCrossEntropy,
    utterance_sums,
)
from ssl_asr.training.objectives.cross_entropy import CrossEntropy
from ssl_asr.training.objectives.frames import valid_logits
from ssl_asr.training.objectives.utterance_adversary import UtteranceAdversary, bounded_weights, spectra
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Worker
from tests.training.synthetic import BINS, Synthetic, source, synthetic_job
from tests.training.test_loop import SETTINGS, resumed_equals_unbroken, train

SECTION = AdversarialCrossEntropySection(pretrain_share=0.0)


def adversarial_job(run: str = "/nowhere", section: AdversarialCrossEntropySection = SECTION) -> TrainingJob:
    """The synthetic training with an adversary in the labeled loss."""
    job = synthetic_job(run)
    objectives, judging = judged({**job.objectives, LABELED: section})
    return replace(job, objectives=objectives, dev_objective=judging)


def stirred(section: AdversarialCrossEntropySection = SECTION) -> tuple[AdversarialCrossEntropy, UtteranceAdversary]:
    """With an adversary that has learned something, whatever it is."""
    objective = AdversarialCrossEntropy(section)
    adversary = objective.begin(BINS)
    torch.manual_seed(3)
    for each in adversary.parameters():
        torch.nn.init.normal_(each, std=0.3)
    adversary.set_progress(1.0)
    return objective, adversary


def batch_of(*weights: float) -> Batch:
    examples = Synthetic(utterances=len(weights)).read("labeled", source("labeled", 1).slab(0), 0)
    weighted = [replace(each, weight=weight) for each, weight in zip(examples, weights, strict=True)]
    return collate(cut(weighted, None), synthetic_job().spec.network.look_ahead)


def network() -> AcousticModel:
    model = build_model(synthetic_job()).eval()
    assert isinstance(model, AcousticModel)
    return model


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0, 1.0), (1.0, 0.5, 2.0, 0.25)])
def test_the_loss_is_the_weighted_mean_of_the_utterances_own(weights: tuple[float, ...]) -> None:
    objective, adversary = stirred()
    model, batch = network(), batch_of(*weights)
    scored = objective.loss(model, batch)
    plain = CrossEntropy(CrossEntropySection())
    look_ahead = model.encoder.look_ahead
    alone = [plain.loss(model, collate([piece], look_ahead)) for piece in batch.pieces]
    frames = [each.weight for each in alone]
    outputs = adversary.layers(spectra(batch.pieces, model.mean, model.scale)).squeeze(1)
    given = bounded_weights(outputs, torch.tensor(frames), SECTION.largest_weight).tolist()
    losses = [float(each.loss.detach()) for each in alone]
    assert max(given) - min(given) > 0.1
    assert scored.weight == pytest.approx(sum(frames))
    assert float(scored.loss) == pytest.approx(np.dot(np.multiply(given, frames), losses) / sum(frames), rel=1e-4)
    together = plain.loss(model, batch)
    assert float(scored.figures[UNWEIGHTED_LOSS]) / scored.weight == pytest.approx(float(together.loss), rel=1e-4)
    variance = np.dot(frames, (np.array(given) - 1) ** 2) / sum(frames)
    assert float(scored.figures[WEIGHT_VARIANCE]) / scored.weight == pytest.approx(variance, rel=1e-3)
    assert scored.figures["frame_accuracy"] == together.figures["frame_accuracy"]


def test_the_step_is_that_of_the_published_code() -> None:
    """The network's gradient with the weights held, and minus the adversary's with the losses held."""
    objective, adversary = stirred()
    model, batch = network(), batch_of(1.0, 1.0, 1.0)
    learned = [[*model.parameters()], [*adversary.parameters()]]
    found = torch.autograd.grad(objective.loss(model, batch).loss, [*learned[0], *learned[1]])
    frames_b = torch.tensor([float(piece.count) for piece in batch.pieces])
    outputs_b = adversary.layers(spectra(batch.pieces, model.mean, model.scale)).squeeze(1)
    weights_b = bounded_weights(outputs_b, frames_b, SECTION.largest_weight)
    sums_b = utterance_sums(valid_logits(model, batch), batch)
    least = torch.autograd.grad((weights_b.detach() * sums_b).sum() / frames_b.sum(), learned[0])
    most = torch.autograd.grad(-(weights_b * sums_b.detach()).sum() / frames_b.sum(), learned[1])
    for mine, wanted in zip(found, [*least, *most], strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-6)


def test_a_batch_that_weighs_nothing_moves_nothing() -> None:
    objective, adversary = stirred()
    scored = objective.loss(network(), batch_of(0.0, 0.0))
    scored.loss.backward()
    assert (float(scored.loss), scored.weight) == (0.0, 0.0)
    assert all(each.grad is None for each in adversary.parameters())


@pytest.mark.parametrize("setting", SETTINGS)
def test_resumed_equals_unbroken_bit_for_bit(tmp_path: Path, setting: str) -> None:
    """Stopped while the adversary learns: the labeled phases are blocks 4 and 5, and 8 and 9, of two workers."""
    resumed_equals_unbroken(adversarial_job(), tmp_path, setting, workers=2, save_at=4)


def test_resumed_after_equal_weights_equals_unbroken_bit_for_bit(tmp_path: Path) -> None:
    """Stopped before the share of equal weights ends: with one worker block 7 of 14, in the first labeled phase."""
    section = AdversarialCrossEntropySection(pretrain_share=0.5)
    resumed_equals_unbroken(adversarial_job(section=section), tmp_path, "bmuf, adam", workers=1, save_at=7)


def trained(job: TrainingJob) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's and the adversary's parameters after a training of one dense worker."""
    loop = build_loop(replace(job, sync=Sync(block_slabs=1, strategy="dense")), Worker())
    train(loop)
    size = flat.parameters(loop.model).numel()
    model = loop.strategy.global_model()
    return model[:size], model[size:]


def test_before_its_share_of_the_training_all_is_as_without_an_adversary_bit_for_bit() -> None:
    never = adversarial_job(section=AdversarialCrossEntropySection(pretrain_share=0.999))
    last = Phase("unlabeled", 0, 1, 1e-3, 0, False, False, UNLABELED)  # the only block that reaches this share
    schedule = (*never.schedule, last)
    (model, adversary), (without, none) = (
        trained(replace(job, schedule=schedule)) for job in (never, synthetic_job())
    )
    assert torch.equal(model, without)
    assert len(none) == 0
    at_once, moved = trained(replace(adversarial_job(), schedule=schedule))
    assert not torch.equal(at_once, without)
    assert not torch.equal(moved, adversary)


def test_checkpoints_have_the_adversary_and_the_model_has_not(tmp_path: Path) -> None:
    job = adversarial_job(str(tmp_path))
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    loop = train_simulated(job, 2)
    model, about = load_model(model_uri(job.run, job.name))
    size = flat.parameters(model).numel()
    everything = loop.strategy.global_model()
    assert torch.equal(flat.parameters(model), everything[:size])
    assert loop.companion is not None
    assert len(everything) - size == flat.parameters(loop.companion).numel() > 0
    assert model.state_dict().keys() == build_model(synthetic_job()).state_dict().keys()
    assert about["blocks"] == loop.block
    labeled = [record for record in read_curve(job.run, job.name) if record.get("source") == "labeled"]
    assert all(record[WEIGHT_VARIANCE] >= 0 and record[UNWEIGHTED_LOSS] > 0 for record in labeled)
    assert labeled[-1][WEIGHT_VARIANCE] > 0
    dev = [record for record in read_curve(job.run, job.name) if "dev_loss" in record]
    assert dev
    assert all(record.keys() == {"block", "dev_loss", "dev_frame_accuracy"} for record in dev)


def test_dev_is_judged_without_an_adversary() -> None:
    plain = {LABELED: CrossEntropySection()}
    assert judged(plain) == (plain, LABELED)
    assert judged({LABELED: SECTION}) == ({LABELED: SECTION, DEV: CrossEntropySection()}, DEV)


@dataclass(frozen=True)
class _OneGroupIsHard(Synthetic):
    """The second speaker's labels are half of them wrong, and its voice is in all of its frames."""

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        return [self._of_group(each) for each in super().read(source, ref, offset)]

    def _of_group(self, example: Example) -> Example:
        hard = example.speaker == "speaker-1"
        told = replace(example, tags={"group": "second" if hard else "first"})
        if not hard:
            return told
        senones = example.targets.senones.copy()
        senones[::2] = (senones[::2] + 3) % 8
        voice = np.tile(np.array([1.0, -1.0, 1.0, -1.0]), 3)
        frames = (example.frames + voice).astype(np.float16)
        return replace(told, frames=frames, targets=replace(example.targets, senones=senones))


@pytest.mark.parametrize("groups", ["", "group"])
def test_the_group_with_the_higher_loss_gets_the_larger_weights(groups: str) -> None:
    """Whether the adversary is told the groups or finds them in the speech."""
    section = AdversarialCrossEntropySection(pretrain_share=0.1, groups=groups)
    phases = tuple(Phase("labeled", 3 * number, 3, 5e-3, 0, number % 2 == 1) for number in range(12))
    reader = _OneGroupIsHard(utterances=8)
    job = replace(adversarial_job(section=section), schedule=phases, reader=reader)
    loop = build_loop(job, Worker())
    records = train(loop)
    flat.unflatten_into(loop.strategy.global_model(), loop.learned.parameters())
    examples = reader.read("labeled", source("labeled", 3).slab(0), 0)
    batch = collate(cut(examples, None), 2)
    objective = loop.course.objectives[LABELED]
    assert isinstance(objective, AdversarialCrossEntropy)
    assert loop.companion is not None
    frames_b = torch.tensor([float(piece.count) for piece in batch.pieces])
    weights_b = loop.companion(objective.known(loop.model, batch), frames_b)
    first, second = (
        weights_b[[speaker == name for speaker in batch.speakers]] for name in ("speaker-0", "speaker-1")
    )
    assert float(second.min()) > 1.1 > 0.9 > float(first.max())
    assert records[-1].loss > records[-1].figures[UNWEIGHTED_LOSS]
