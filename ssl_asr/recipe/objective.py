"""The objectives that a network can be trained by."""

from __future__ import annotations

from typing import Literal

from ssl_asr.recipe.choice import Listed, Table
from ssl_asr.recipe.section import NotNegative, PositiveFloat, Section

Smoothing = Literal["ce", "kl"]


class ObjectiveSection(Section):
    kind: str


class CrossEntropySection(ObjectiveSection):
    """Each frame's aligned senone is its label."""

    kind: Literal["cross-entropy"] = "cross-entropy"


class SoftCrossEntropySection(ObjectiveSection):
    """The teacher's largest posteriors are each frame's targets."""

    kind: Literal["soft-cross-entropy"] = "soft-cross-entropy"


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


OBJECTIVES: Table = {
    "cross-entropy": Listed(CrossEntropySection, "ssl_asr.training.objectives.cross_entropy:CrossEntropy"),
    "soft-cross-entropy": Listed(
        SoftCrossEntropySection, "ssl_asr.training.objectives.soft_cross_entropy:SoftCrossEntropy"
    ),
    "transducer": Listed(TransducerSection, "ssl_asr.training.objectives.transducer:TransducerObjective"),
    "smbr": Listed(SmbrSection, "ssl_asr.training.objectives.smbr:Smbr"),
}
