"""The network that makes an utterance a vector: LSTM layers, the mean over time or the last output, length 1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from ssl_asr.models.encoder import Encoder
from ssl_asr.models.model_files import refusing_unknown, take_kind
from ssl_asr.models.normalised import FrameNetwork, NormalisedEncoder
from ssl_asr.recipe import LstmNetwork
from ssl_asr.store.weights import read_weights, write_weights

KIND = "speaker-extractor"
Pooling = Literal["mean", "last"]


@dataclass(frozen=True)
class ExtractorSpec:
    """`inputs` is the width of a 30 ms frame, `dimensions` that of the embedding.

    `pooling` "last" is the d-vector of Wan et al. (2018): what the layers know after the last frame.
    """

    inputs: int
    layers: int = 2
    units: int = 128
    dimensions: int = 64
    pooling: Pooling = "mean"


class SpeakerExtractor(FrameNetwork):
    """Takes frames as they are stored, with their speaker's mean removed.

    `scale` and `shift` of similarities belong to the losses and are trained with it (Wan et al. 2018: from 10, -5).
    """

    def __init__(self, spec: ExtractorSpec) -> None:
        super().__init__()
        self.spec = spec
        section = LstmNetwork(layers=spec.layers, units=spec.units, look_ahead=0, dropout=0.0)
        self.frames = NormalisedEncoder(section, spec.inputs)
        self.projection = nn.Linear(spec.units, spec.dimensions)
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.shift = nn.Parameter(torch.tensor(-5.0))

    @property
    def frame_encoder(self) -> Encoder[Any]:
        return self.frames.encoder

    def forward(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """Embeddings [batch, dimensions] of length 1; `lengths_b`, one frame or more, lies on the CPU."""
        hidden_btd = self.frames.encode(frames_btd, lengths_b)[0]
        lengths = lengths_b.to(hidden_btd.device)
        if self.spec.pooling == "last":
            pooled_bd = hidden_btd[torch.arange(len(lengths), device=hidden_btd.device), lengths - 1]
        else:
            inside_bt = torch.arange(hidden_btd.shape[1], device=hidden_btd.device) < lengths[:, None]
            pooled_bd = (hidden_btd * inside_bt[:, :, None]).sum(1) / lengths[:, None]
        return functional.normalize(self.projection(pooled_bd), dim=1)


def save_extractor(uri: str, model: SpeakerExtractor, about: dict[str, Any]) -> str:
    """Returns the checksum; `about` holds plain values."""
    return write_weights(uri, model.state_dict(), {**about, "kind": KIND, "spec": asdict(model.spec)})


def load_extractor(uri: str) -> tuple[SpeakerExtractor, dict[str, Any]]:
    """In evaluation mode, with what was said about it; ValueError naming a damaged or unknown file."""
    tensors, about = read_weights(uri)
    with refusing_unknown(uri):
        take_kind(about, KIND)
        model = SpeakerExtractor(ExtractorSpec(**about.pop("spec")))
        model.load_state_dict(tensors)
    return model.eval(), about
