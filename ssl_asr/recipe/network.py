"""The networks that a teacher, a student or a transducer can be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

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


class ProjectedLayers(NetworkSection):
    """LSTM layers with a linear layer and Swish behind each; `projection` is the width of a layer's outputs.

    They are a transducer's, which chooses its own delay, so there is no look-ahead; a student of senones wants 3.
    """

    layers: Positive = 6
    units: Positive = 640
    projection: Positive = 512


class ProjectedLstmNetwork(ProjectedLayers):
    """Causal: the encoder of the RNN-T that ConvRNN-T's paper compares with (Radfar et al. 2022)."""

    kind: Literal["projected-lstm"] = "projected-lstm"
    layers: Positive = 7


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("this kernel needs a middle; use an odd size, as 3, 5 or 7")
    return size


class ConvRnntNetwork(ProjectedLayers):
    """Causal: ConvRNN-T's encoder, a local and a global CNN before projected LSTM layers (Radfar et al. 2022).

    With these sizes and 192 inputs it has 24.3 M parameters. Its local CNN takes 101 M multiply-adds a frame.
    """

    kind: Literal["conv-rnnt"] = "conv-rnnt"
    width: Positive = 192  # of the outputs of each CNN
    local_channels: Annotated[tuple[Positive, ...], Field(min_length=1)] = (100, 100, 64, 64)  # one value a layer
    local_kernel: Annotated[Positive, AfterValidator(_odd)] = 5  # frames, and as many features
    global_blocks: Annotated[int, Field(gt=0, le=16)] = 6  # frames that block i sees are 2^i apart
    global_kernel: Positive = 3  # frames


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


class SeparatorNetwork(NetworkSection):
    """Causal, for transducers of conversations: it gives each of several talkers an output channel.

    Published: two channels, and 2 x 1024 LSTM cells in each of the encoders (Sklyar et al. 2022).
    """

    kind: Literal["separator"] = "separator"
    channels: Annotated[int, Field(ge=1, le=8)] = 2  # talkers at once
    mixture_layers: Positive = 2
    separation_layers: Positive = 2  # of each channel
    recogniser_layers: Positive = 2  # the same for all channels
    units: Positive = 1024
    width: Positive = 640  # of the outputs
    look_ahead: Literal[0] = 0


def flops_of(network: NetworkSection) -> str:
    """The transducer whose FLOPs the network's random gates are to take; "" if there is none."""
    gating = network.gating if isinstance(network, TransformerNetwork) else None
    return "" if gating is None else gating.flops_of


def check_keep_rate(key: str, network: NetworkSection) -> None:
    """ValueError where the keep rate of the network at `key` of a recipe would have no effect.

    Gates don't check this themselves: models' files hold all fields, also a keep rate that `flops_of` has replaced.
    """
    gating = network.gating if isinstance(network, TransformerNetwork) else None
    if gating is not None and gating.in_place_of_keep_rate and gating.keep_rate != Gating().keep_rate:
        raise ValueError(
            f"{key}.network.gating.keep_rate={gating.keep_rate:g} has no effect beside "
            f"{gating.in_place_of_keep_rate}; leave it out"
        )


def may_begin_as(network: NetworkSection, start: NetworkSection) -> bool:
    """Whether `network` can begin with the weights of `start`: it is the same, dropout apart.

    A Transformer may also see another part of the past, and have gates where `start` has none: the arbitrators of
    these begin with random weights. A separator of several channels may begin as one of a single channel.
    """
    apart: dict[str, object] = {"dropout": start.dropout}
    if isinstance(network, SeparatorNetwork) and isinstance(start, SeparatorNetwork) and start.channels == 1:
        apart["channels"] = 1
    if isinstance(network, TransformerNetwork) and isinstance(start, TransformerNetwork):
        apart["left_context"] = start.left_context
        apart |= {"gating": None} if start.gating is None else {}
    return network.model_copy(update=apart) == start


NETWORKS: Table = {
    "lstm": Listed(LstmNetwork, "ssl_asr.models.lstm:Lstm"),
    "blstm": Listed(BlstmNetwork, "ssl_asr.models.blstm:Blstm"),
    "projected-lstm": Listed(ProjectedLstmNetwork, "ssl_asr.models.projected_lstm:ProjectedLstm"),
    "conv-rnnt": Listed(ConvRnntNetwork, "ssl_asr.models.conv_rnnt:ConvRnnt"),
    "transformer": Listed(TransformerNetwork, "ssl_asr.models.transformer.encoder:Transformer"),
    "separator": Listed(SeparatorNetwork, "ssl_asr.models.separator:Separator"),
}
