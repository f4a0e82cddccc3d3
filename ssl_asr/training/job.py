"""Description of one training run: the driver sends it to every worker, and a worker builds its loop from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.models.acoustic import ModelSpec
from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.recipe import Augmentation, Batching, ObjectiveSection, Optimiser, Sync
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.beginnings import begin_with, encode_as, transduce_as
from ssl_asr.training.companion import learned_by
from ssl_asr.training.course import Batcher, Course
from ssl_asr.training.curve import Record
from ssl_asr.training.data.batches import Piece, batches_of
from ssl_asr.training.data.examples import Example, Reader
from ssl_asr.training.data.masking import mask
from ssl_asr.training.data.sources import Source, seed_of
from ssl_asr.training.finishing import finish_training
from ssl_asr.training.loop import Loop
from ssl_asr.training.objectives.adversarial_cross_entropy import AdversarialCrossEntropy
from ssl_asr.training.objectives.anchored import Anchor, Anchored
from ssl_asr.training.objectives.objective import Objective, build_objective
from ssl_asr.training.objectives.utterance_adversary import UtteranceAdversary
from ssl_asr.training.optimisers import build_optimiser
from ssl_asr.training.schedule import Phase
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.group import Worker
from ssl_asr.transducer.model import TransducerModel, TransducerSpec


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """`inputs` is what the model is made from. A job with the same inputs goes on from its checkpoint.

    `objectives` are by the names that phases call them by; `dev` is judged by `dev_objective`. `mean` and `deviation`
    are the global statistics of one 10 ms frame, [mel bins]. `about` is kept with the finished model. `start` names
    the run's model that training begins with, None: random weights, which are drawn by the name `drawn_as`, None: by
    its own. It may lack the cohorts of `spec`, and then the first model equals it. `start_encoder` names one whose
    encoder it begins with, `start_transducer` a transducer whose weights it begins with. `anchor` holds the weights
    near given ones, in all objectives but `dev_objective`, which is then one of its own. `word_pieces` is the file of
    a transducer's. `counts_posteriors` keeps the model's posterior counts with it, by which decoding divides where
    sequence training has moved them.
    """

    run: str
    name: str
    inputs: dict[str, str]
    spec: ModelSpec | TransducerSpec
    optimiser: Optimiser
    batching: Batching
    augmentation: Augmentation
    sync: Sync
    seed: int
    schedule: tuple[Phase, ...]
    sources: tuple[Source, ...]
    objectives: Mapping[str, ObjectiveSection]
    dev: Source | None
    dev_objective: str
    reader: Reader
    mean: np.ndarray
    deviation: np.ndarray
    about: Mapping[str, str] = field(default_factory=dict)
    start: str | None = None
    drawn_as: str | None = None
    start_encoder: str | None = None
    start_transducer: str | None = None
    anchor: Anchor | None = None
    word_pieces: str | None = None
    counts_posteriors: bool = False

    @property
    def key(self) -> str:
        """Names the training in its storage."""
        return inputs_key(self.inputs)

    def build_loop(self, worker: Worker) -> Loop:
        return build_loop(self, worker)

    def finish(self, loop: Loop, curve: Sequence[Record]) -> None:
        """The model in the run's `models/`."""
        finish_training(self, loop)


def build_model(job: TrainingJob) -> NormalisedEncoder:
    """The network before the first step: the same on every worker.

    ValueError if the model that it begins with is damaged or of another size.
    """
    torch.manual_seed(seed_of(job.seed, job.drawn_as or job.name, "weights"))
    model = job.spec.build()
    mean, deviation = (torch.from_numpy(np.tile(values, STACK)) for values in (job.mean, job.deviation))
    model.set_statistics(mean, deviation)
    if job.start is not None:
        begin_with(model, model_uri(job.run, job.start))
    if job.start_encoder is not None:
        encode_as(model, model_uri(job.run, job.start_encoder), _rng_of_copies(job.seed, job.start_encoder))
    if job.start_transducer is not None:
        assert isinstance(model, TransducerModel), "a transducer alone begins as one"
        assert job.word_pieces is not None, "a transducer has word pieces"
        uri, rng = model_uri(job.run, job.start_transducer), _rng_of_copies(job.seed, job.start_transducer)
        transduce_as(model, job.word_pieces, uri, rng)
    model.augment = partial(mask, settings=job.augmentation)
    return model


def _rng_of_copies(seed: int, start: str) -> torch.Generator:
    """The same for all models that begin as `start`: they are compared with each other."""
    return torch.Generator().manual_seed(seed_of(seed, start, "copies of weights"))


def build_loop(job: TrainingJob, worker: Worker) -> Loop:
    model = build_model(job).to(worker.device)
    built = {name: build_objective(section) for name, section in job.objectives.items()}
    adversary = _begin_adversary(job, built.values())
    if adversary is not None:
        adversary.to(worker.device)
    learned = learned_by(model, adversary)
    optimiser = build_optimiser(learned, job.optimiser)
    strategy = build_strategy(learned, optimiser, job.sync, worker.group)
    course = Course(
        schedule=job.schedule,
        sources={source.name: source for source in job.sources},
        objectives=_anchored(job, built),
        reader=job.reader,
        batches=_batcher(job.batching, model.encoder.look_ahead),
        seed=job.seed,
        begins_trained=job.start is not None,
    )
    return Loop(
        model,
        optimiser,
        strategy,
        course,
        worker,
        sync=job.sync,
        clip_norm=job.optimiser.clip_norm,
        companion=adversary,
    )


def _batcher(batching: Batching, look_ahead: int) -> Batcher:
    def batches(examples: Sequence[Example], whole: bool, rng: np.random.Generator) -> list[list[Piece]]:
        return batches_of(examples, whole, batching, look_ahead, rng)

    return batches


def _begin_adversary(job: TrainingJob, objectives: Iterable[object]) -> UtteranceAdversary | None:
    """That of the objective that has one, if any. Its weights are drawn apart from the network's."""
    found: list[AdversarialCrossEntropy] = [each for each in objectives if isinstance(each, AdversarialCrossEntropy)]
    if not found:
        return None
    assert len(found) == 1, "a recipe gives labels alone an adversary"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(job.seed, job.drawn_as or job.name, "adversary"))
        return found[0].begin(len(job.mean))


def _anchored(job: TrainingJob, built: dict[str, Objective]) -> dict[str, Objective]:
    if job.anchor is None:
        return built
    dev = job.dev_objective
    assert all(phase.objective != dev for phase in job.schedule), "what dev is judged by has no penalty"
    return {name: each if name == dev else Anchored(each, job.anchor) for name, each in built.items()}
