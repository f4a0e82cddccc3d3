"""The objectives that a network can be trained by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.choice import Listed, Table
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section

Smoothing = Literal["ce", "kl"]


class ObjectiveSection(Section):
    kind: str


class CrossEntropySection(ObjectiveSection):
    """Each frame's aligned senone is its label."""

    kind: Literal["cross-entropy"] = "cross-entropy"


class AdversarialCrossEntropySection(ObjectiveSection):
    """Cross-entropy whose utterances are weighted by an adversary, which makes the loss large (docs/fairness.md).

    Weights are 1 for the share `pretrain_share` of the training, and then between 1/2 and `largest_weight`, with the
    mean 1. `hidden` is the width of the adversary's hidden layer. `groups` names a tag whose values the adversary
    sees instead of the speech: a control, which knows what else must be found.
    """

    kind: Literal["adversarial-cross-entropy"] = "adversarial-cross-entropy"
    pretrain_share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    largest_weight: Annotated[float, Field(gt=1)] = 4.0
    hidden: Positive = 64
    groups: str = ""


class SoftCrossEntropySection(ObjectiveSection):
    """The teacher's largest posteriors are each frame's targets.

    Logits of teacher and student are divided by `temperature`, and the loss times its square (Hinton et al. 2015).
    """

    kind: Literal["soft-cross-entropy"] = "soft-cross-entropy"
    temperature: PositiveFloat = 1.0  # study topk: at most 1 % worse than 2


class SmbrSection(ObjectiveSection):
    """The expected accuracy of the paths of lattices; the stages set it up from a network's `sequence` section.

    `start` is the file of the model whose posteriors smooth it, where `smoothing` is "kl".
    """

    kind: Literal["smbr"] = "smbr"
    kappa: PositiveFloat = 0.333
    smoothing: Smoothing = "ce"
    smoothing_weight: NotNegative = 0.1
    start: str = ""


class TransducerSection(ObjectiveSection):
    """The words, by all their alignments; the stage of the transducers sets it up. `word_pieces` is a file."""

    kind: Literal["transducer"] = "transducer"
    word_pieces: str = ""
    fast_emit: NotNegative = 0.0


Marks = Literal["start-end", "change", "none"]


class TurnSettings(Section):
    """What a network of several output channels learns of turns (Sklyar et al. 2022).

    `marks` are written around each turn: `<sot>` and `<eot>`, or `<cot>` between two turns. `masking` is gamma of the
    masking loss. The log-probability of `<eot>` loses `end_penalty` nats for each 30 ms frame by which it comes later
    than `end_grace` frames after its turn; published are 1, and 3, 5, 7 and 10 frames. `ctc_weight` is that of CTC of
    the encoder alone, without which a network may learn the texts by heart and hear nothing.
    """

    marks: Marks = "start-end"
    ctc_weight: NotNegative = 0.0
    masking: NotNegative = 0.0
    end_penalty: NotNegative = 0.0
    end_grace: Positive = 3

    @model_validator(mode="after")
    def _has_ends(self) -> TurnSettings:
        if self.end_penalty and self.marks != "start-end":
            raise ValueError(f"end_penalty is for <eot>, which marks={self.marks} has not; use start-end")
        return self


def check_stable(end_penalty: float, fast_emit: float) -> None:
    """ValueError where both are given."""
    if end_penalty and fast_emit:
        raise ValueError("end_penalty and fast_emit together are numerically unstable; set one of them to 0")


class SeparatedTransducerSection(ObjectiveSection, TurnSettings):
    """The words of each output channel, with marks of the turns; the stage of the transducers sets it up."""

    kind: Literal["separated-transducer"] = "separated-transducer"
    word_pieces: str = ""
    channels: Annotated[int, Field(ge=1, le=8)] = 2
    sample_rate: Positive = 16000
    fast_emit: NotNegative = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> SeparatedTransducerSection:
        check_stable(self.end_penalty, self.fast_emit)
        return self


OBJECTIVES: Table = {
    "cross-entropy": Listed(CrossEntropySection, "ssl_asr.training.objectives.cross_entropy:CrossEntropy"),
    "adversarial-cross-entropy": Listed(
        AdversarialCrossEntropySection,
        "ssl_asr.training.objectives.adversarial_cross_entropy:AdversarialCrossEntropy",
    ),
    "soft-cross-entropy": Listed(
        SoftCrossEntropySection, "ssl_asr.training.objectives.soft_cross_entropy:SoftCrossEntropy"
    ),
    "transducer": Listed(TransducerSection, "ssl_asr.training.objectives.transducer:TransducerObjective"),
    "separated-transducer": Listed(
        SeparatedTransducerSection, "ssl_asr.training.objectives.separated:SeparatedTransducer"
    ),
    "smbr": Listed(SmbrSection, "ssl_asr.training.objectives.smbr:Smbr"),
}
