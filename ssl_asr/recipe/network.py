"""The networks that a teacher or a student can be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.choice import Listed, Table
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


NETWORKS: Table = {
    "lstm": Listed(LstmNetwork, "ssl_asr.models.lstm:Lstm"),
    "blstm": Listed(BlstmNetwork, "ssl_asr.models.blstm:Blstm"),
}
