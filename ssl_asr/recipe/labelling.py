"""How teachers label the unlabeled speech, and what is kept of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import Positive, Section


class Labelling(Section):
    """What is kept of the teacher's posteriors: every value here is part of a target set's identity."""

    # Names of models; of several, the mean posterior. What the models' files hold counts, not their names.
    teachers: Annotated[tuple[str, ...], Field(min_length=1), Affects()] = ("teacher",)
    k: Annotated[int, Field(gt=0, le=1000)] = 20  # study topk: better than 1, and all 600 are no better
    # Bits of a log-probability: steps of 16 / (2^bits - 1) nats. Study topk can't tell whether 4 are as good as 8.
    value_bits: Annotated[int, Field(ge=2, le=8)] = 8
    mass_floor: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the k largest that a frame may leave out
    # Keep beside the k largest how probable all other senones are together. The student learns it as one more class.
    # Study topk: a student is at most 1 % worse without.
    tail: bool = False
    batch_frames: Positive = 6000  # 30 ms frames of a batch of utterances of similar length, with padding
    precision: Literal["float32", "bfloat16"] = "float32"  # of the network; bfloat16 by autocast
    compile: bool = False  # the network by torch.compile
