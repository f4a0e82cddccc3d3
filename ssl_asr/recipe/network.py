"""The networks that a teacher or a student can be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.choice import Listed, Table
from ssl_asr.recipe.gating import Gating
from ssl_asr.recipe.section import Positive, Section


class NetworkSection(Section):
    """What every kind has: `look_ahead` is the number of 30 ms frames by which outputs lag their inputs."""

    kind: str
    look_ahead: Annotated[int, Field(ge=0)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


class LstmNetwork(NetworkSection):
    """Causal: it sees the past and `look_ahead` frames of the future."""

    kind: Literal["lstm"] = "lstm"
    layers: Positive = 5
    units: Positive = 768
    look_ahead: Annotated[int, Field(ge=0)] = 3


class BlstmNetwork(NetworkSection):
    """It needs the whole utterance, so it needs no look-ahead."""

    kind: Literal["blstm"] = "blstm"
    layers: Positive = 5
    units: Positive = 768  # of each direction
    look_ahead: Literal[0] = 0


class TransformerNetwork(NetworkSection):
    """A causal Transformer; with `gating` it runs only those of its modules that a frame needs."""

    kind: Literal["transformer"] = "transformer"
    layers: Positive = 12
    heads: Positive = 4
    width: Positive = 516
    feed_forward: Positive = 1024
    look_ahead: Annotated[int, Field(ge=0)] = 3
    left_context: Positive | None = None  # 30 ms frames before its own that attention sees; null: all
    gating: Gating | None = None

    @model_validator(mode="after")
    def _consistent(self) -> TransformerNetwork:
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is not a multiple of heads={self.heads}")
        if self.gating is not None and self.gating.levels == "dual" and self.layers == 1:
            raise ValueError("gating.levels=dual needs two layers; use single")
        return self


NETWORKS: Table = {
    "lstm": Listed(LstmNetwork, "ssl_asr.models.lstm:Lstm"),
    "blstm": Listed(BlstmNetwork, "ssl_asr.models.blstm:Blstm"),
    "transformer": Listed(TransformerNetwork, "ssl_asr.models.transformer.encoder:Transformer"),
}
