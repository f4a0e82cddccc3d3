"""The sections that say how the teacher and the student are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from ssl_asr.recipe.augmentation import Augmentation
from ssl_asr.recipe.batching import Batching
from ssl_asr.recipe.choice import Choice
from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.network import NETWORKS, BlstmNetwork, LstmNetwork, NetworkSection, SeparatorNetwork
from ssl_asr.recipe.objective import (
    OBJECTIVES,
    AdversarialCrossEntropySection,
    CrossEntropySection,
    ObjectiveSection,
    SeparatedTransducerSection,
    SmbrSection,
    SoftCrossEntropySection,
    TransducerSection,
)
from ssl_asr.recipe.optimiser import Optimiser
from ssl_asr.recipe.section import Positive, PositiveFloat, Section
from ssl_asr.recipe.sequence import SequenceTraining
from ssl_asr.recipe.sync import Sync

TeacherNetwork = Annotated[SerializeAsAny[NetworkSection], Choice(NETWORKS, "blstm")]
StudentNetwork = Annotated[SerializeAsAny[NetworkSection], Choice(NETWORKS, "lstm")]
HardObjective = Annotated[SerializeAsAny[ObjectiveSection], Choice(OBJECTIVES, "cross-entropy")]
SoftObjective = Annotated[SerializeAsAny[ObjectiveSection], Choice(OBJECTIVES, "soft-cross-entropy")]


# What a pass hears of a recording that has degraded copies: all versions, or one, drawn anew for each pass. With one,
# a pass is as long as one over clean speech alone.
Heard = Literal["all", "one"]


class Teacher(Section):
    network: TeacherNetwork = BlstmNetwork()
    labeled_passes: Positive = 10  # on chunks
    whole_passes: Annotated[int, Field(ge=0)] = 2  # then on whole utterances
    versions: Heard = "all"
    objective: HardObjective = CrossEntropySection()
    optimiser: Optimiser = Optimiser()
    batching: Batching = Batching()
    augmentation: Augmentation = Augmentation()
    sync: Sync = Sync()
    sequence: Annotated[SequenceTraining, Affects("teacher-smbr")] = SequenceTraining()

    @model_validator(mode="after")
    def _consistent(self) -> Teacher:
        _must_fit(self)
        return self


class Student(Section):
    """The student and its baseline: the same network, schedule and updates, without the unlabeled audio."""

    network: StudentNetwork = LstmNetwork()
    sub_epochs: Positive = 18
    unlabeled_passes: PositiveFloat = 1.0  # over all unlabeled audio, all sub-epochs together
    whole_sub_epochs: Annotated[int, Field(ge=0)] = 3  # the last ones, on whole utterances
    # Labeled data after each sub-epoch, within it after every `segment_slabs` unlabeled slabs, or all of it last.
    # A block ends with its segment: make a segment a multiple of the workers times sync.block_slabs.
    # Study schedule finds no difference between these; the first is the published one.
    order: Literal["sub-epochs", "blocks", "segregated"] = "sub-epochs"
    segment_slabs: Positive = 16
    versions: Heard = "all"  # of labeled and unlabeled recordings
    # Learning rate of the labeled part over that of the unlabeled. Study schedule: 1 is as good, and 4 is worse.
    labeled_boost: PositiveFloat = 1.2
    # Unlabeled utterances in training: all, or this share of their frames, spread over the teacher's confidence.
    selection: Annotated[Literal["all", "uniform-confidence"], Affects("student")] = "all"
    selected_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    # A second baseline on this share of the frames, through the same rates: the better one on dev counts. 0: none.
    shorter_baseline: Annotated[float, Field(ge=0, lt=1), Affects("baseline-short")] = 0.0
    labeled_objective: HardObjective = CrossEntropySection()
    unlabeled_objective: Annotated[SoftObjective, Affects("student")] = SoftCrossEntropySection()
    optimiser: Optimiser = Optimiser()
    batching: Batching = Batching()
    augmentation: Augmentation = Augmentation()
    sync: Sync = Sync()
    sequence: Annotated[
        SequenceTraining, Affects("baseline-smbr", "baseline-short-smbr", "student-smbr", "topline-smbr")
    ] = SequenceTraining()

    @model_validator(mode="after")
    def _consistent(self) -> Student:
        _must_fit(self)
        return self


def _must_fit(trained: Teacher | Student) -> None:
    """What must hold between the sections of one training."""
    for prefix, part in (("", trained), ("sequence.", trained.sequence)):
        check_moments(part.sync, part.optimiser, prefix)
    objectives = [trained.objective] if isinstance(trained, Teacher) else []
    objectives += [trained.labeled_objective, trained.unlabeled_objective] if isinstance(trained, Student) else []
    if isinstance(trained.network, SeparatorNetwork):
        raise ValueError("network.kind=separator is of a network with word pieces; give it under transducers")
    for each in objectives:
        if isinstance(each, (TransducerSection, SeparatedTransducerSection)):
            raise ValueError(f"the objective {each.kind} is of a network with word pieces; give it under transducers")
    if any(isinstance(each, SmbrSection) for each in objectives):
        raise ValueError("smbr needs a trained model and its lattices; leave the objective and set sequence.epochs=3")
    if isinstance(trained, Student) and isinstance(trained.unlabeled_objective, AdversarialCrossEntropySection):
        raise ValueError(
            "unlabeled_objective.kind=adversarial-cross-entropy is for labels; give it as labeled_objective"
        )
    look_ahead, chunk = trained.network.look_ahead, trained.batching.chunk_frames
    if look_ahead >= chunk:
        raise ValueError(
            f"network.look_ahead={look_ahead} leaves no target in a chunk of batching.chunk_frames={chunk}"
        )


def check_moments(sync: Sync, optimiser: Optimiser, prefix: str = "") -> None:
    """ValueError where the optimiser has no moments of the kind that `sync` corrects."""
    if sync.optimiser_state == "correct" and optimiser.name != "adam":
        raise ValueError(
            f"{prefix}sync.optimiser_state=correct is BMUF-Adam's; use average or reset, or "
            f"{prefix}optimiser.name=adam"
        )
