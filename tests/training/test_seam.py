"""A new network and a new objective are a class, a section and a line in a table each, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.encoder import Encoder, EncoderState
from ssl_asr.models.model_files import load_model
from ssl_asr.recipe import NETWORKS, OBJECTIVES, Listed, NetworkSection, ObjectiveSection, load_recipe
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import read_accounts, write_schedule
from ssl_asr.training.curve import read_curve
from ssl_asr.training.data.batches import Batch, Piece
from ssl_asr.training.job import build_loop
from ssl_asr.training.objectives.objective import Loss
from ssl_asr.training.simulated import train_simulated
from ssl_asr.training.sync.group import Worker
from tests.training.synthetic import BINS, SENONES, synthetic_job


class WindowNetwork(NetworkSection):
    kind: Literal["window"] = "window"
    width: int = 6


class Window(Encoder[WindowNetwork]):
    """Each output sees its own frame and the one before, which is its state."""

    is_causal = True

    def __init__(self, section: WindowNetwork, inputs: int) -> None:
        super().__init__(section, section.width)
        self.inputs = inputs
        self.linear = nn.Linear(2 * inputs, section.width)

    def initial_state(self, n: int) -> EncoderState:
        return (torch.zeros(1, n, self.inputs),)

    def forward(
        self, frames_btd: torch.Tensor, lengths_b: torch.Tensor, state: EncoderState | None = None
    ) -> tuple[torch.Tensor, EncoderState | None]:
        (last,) = state or self.initial_state(len(frames_btd))
        pairs = torch.cat([torch.cat([last[0][:, None], frames_btd[:, :-1]], 1), frames_btd], 2)
        ends = frames_btd[torch.arange(len(frames_btd)), lengths_b - 1]
        return torch.tanh(self.linear(pairs)), None if state is None else (ends[None],)


class LettersSection(ObjectiveSection):
    kind: Literal["letters"] = "letters"
    share: float = 1.0


class Letters:
    """Whether the text has the letter of each senone, by the mean of the outputs; it counts utterances."""

    figures = ("letters_right", "first_speaker")
    needs_text = True
    needs_lattices = False

    def __init__(self, section: LettersSection) -> None:
        self.section = section

    def weight(self, pieces: Sequence[Piece]) -> float:
        return float(len(pieces))

    def loss(self, model: AcousticModel, batch: Batch) -> Loss:
        hidden, _ = model.encode(batch.frames, batch.lengths)
        mean = torch.stack([row[valid].mean(0) for row, valid in zip(hidden, batch.valid, strict=True)])
        logits = model.classify(mean)
        wanted = torch.tensor([[float(letter in (text or "")) for letter in "abcdefgh"] for text in batch.texts])
        loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted) * self.section.share
        right = ((logits > 0) == (wanted > 0)).double().mean(1).sum()
        spoken = torch.tensor(float(batch.speakers.count("speaker-0")))
        return Loss(loss, float(len(batch.ids)), {"letters_right": right, "first_speaker": spoken})


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "window", Listed(WindowNetwork, f"{__name__}:Window"))
    monkeypatch.setitem(OBJECTIVES, "letters", Listed(LettersSection, f"{__name__}:Letters"))


@pytest.mark.usefixtures("toys")
def test_a_toy_network_and_a_toy_objective_are_trained_saved_and_loaded(tmp_path: Path) -> None:
    student = load_recipe(
        "demo",
        [
            "student.network.kind=window",
            "student.network.width=5",
            "student.labeled_objective.kind=letters",
            "student.labeled_objective.share=0.5",
        ],
    ).student
    job = synthetic_job(str(tmp_path))
    objectives = {**job.objectives, "labeled": student.labeled_objective}
    job = replace(job, spec=ModelSpec(student.network, 3 * BINS, SENONES), objectives=objectives)
    write_schedule(job.run, job.name, job.key, job.schedule, {each.name: len(each) for each in job.sources})
    loop = train_simulated(job, 2)
    model, about = load_model(model_uri(job.run, job.name))
    assert isinstance(model.encoder, Window)
    assert (model.encoder.width, about["blocks"], about["senone_set"]) == (5, loop.block, "synthetic")
    assert len(list(read_accounts(job.run, job.name, job.key))) == loop.block
    curve = read_curve(job.run, job.name)
    soft = [record for record in curve if record.get("source") == "unlabeled"]
    hard = [record for record in curve if record.get("source") == "labeled"]
    assert all("frame_accuracy" in record and "letters_right" not in record for record in soft)
    assert all(0 < record["letters_right"] <= 1 and "frame_accuracy" not in record for record in hard)
    whole = hard[-1]  # each slab has six utterances, half of them the first speaker's
    assert whole["whole"]
    assert whole["first_speaker"] == pytest.approx(0.5)
    assert all("dev_letters_right" in record for record in curve if "dev_loss" in record)


@pytest.mark.usefixtures("toys")
def test_a_toy_objective_can_be_learned() -> None:
    job = synthetic_job(dev=None)
    labeled = tuple(replace(phase, learning_rate=0.02) for phase in job.schedule if phase.source == "labeled") * 8
    objectives = {"labeled": LettersSection()}
    loop = build_loop(replace(job, schedule=labeled, objectives=objectives), Worker())
    source, objective = job.sources[0], loop.course.objectives["labeled"]
    before = loop.evaluate(source, objective)
    loop.run(lambda record, work: None)
    after = loop.evaluate(source, objective)
    assert after.loss < before.loss
    assert after.figures["letters_right"] > before.figures["letters_right"]


class NormedNetwork(WindowNetwork):
    kind: Literal["normed"] = "normed"  # type: ignore[assignment]


class Normed(Window):
    def __init__(self, section: NormedNetwork, inputs: int) -> None:
        super().__init__(section, inputs)
        self.norm = nn.BatchNorm1d(inputs)


def test_statistics_that_training_changes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "normed", Listed(NormedNetwork, f"{__name__}:Normed"))
    job = synthetic_job(spec=ModelSpec(NormedNetwork(), 3 * BINS, SENONES))
    said = r"module 'encoder\.norm', a BatchNorm1d, keeps 'running_mean' .* use a layer without .* as LayerNorm"
    with pytest.raises(ValueError, match=said) as refused:
        build_loop(job, Worker())
    assert "\n" not in str(refused.value)


def test_a_buffer_that_never_changes_may_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "normed", Listed(NormedNetwork, f"{__name__}:Normed"))
    monkeypatch.setattr(
        nn.BatchNorm1d, "constant_buffers", ("running_mean", "running_var", "num_batches_tracked"), raising=False
    )
    build_loop(synthetic_job(spec=ModelSpec(NormedNetwork(), 3 * BINS, SENONES)), Worker())
