"""What is hidden from a network in training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssl_asr.recipe.section import Positive, Section


class Augmentation(Section):
    """SpecAugment on training batches: this many masks an utterance or chunk, each at most this wide.

    A time mask is also at most `time_mask_share` of its utterance or chunk.
    """

    frequency_masks: Annotated[int, Field(ge=0)] = 0
    frequency_mask_bins: Positive = 8
    time_masks: Annotated[int, Field(ge=0)] = 0
    time_mask_frames: Positive = 4  # of 30 ms
    time_mask_share: Annotated[float, Field(gt=0, le=1)] = 1.0
