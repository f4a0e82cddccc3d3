"""The objectives that a network can be trained by."""

from __future__ import annotations

from typing import Literal

from ssl_asr.recipe.choice import Listed, Table
from ssl_asr.recipe.section import Section


class ObjectiveSection(Section):
    kind: str


class CrossEntropySection(ObjectiveSection):
    """Each frame's aligned senone is its label."""

    kind: Literal["cross-entropy"] = "cross-entropy"


class SoftCrossEntropySection(ObjectiveSection):
    """The teacher's largest posteriors are each frame's targets."""

    kind: Literal["soft-cross-entropy"] = "soft-cross-entropy"


OBJECTIVES: Table = {
    "cross-entropy": Listed(CrossEntropySection, "ssl_asr.training.objectives.cross_entropy:CrossEntropy"),
    "soft-cross-entropy": Listed(
        SoftCrossEntropySection, "ssl_asr.training.objectives.soft_cross_entropy:SoftCrossEntropy"
    ),
}
