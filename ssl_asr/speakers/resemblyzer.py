"""Resemblyzer's network of speaker embeddings, trained elsewhere with the GE2E loss; only its weights are taken.

Resemblyzer 0.1.4 (Apache-2.0): three LSTM layers of 256, the last output, a linear layer, ReLU, length 1. An
utterance's embedding is the mean of those of its pieces.
"""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from ssl_asr.models.model_files import refusing_unknown, take_kind
from ssl_asr.speakers.resemblyzer_mel import BINS, Samples, pieces
from ssl_asr.store import filesystem
from ssl_asr.store.speakers_layout import extractor_uri, trained_speakers_uri
from ssl_asr.store.weights import read_weights, write_weights

KIND = "resemblyzer"
_IN_WHEEL = "resemblyzer/pretrained.pt"
EMBEDDING_WIDTH = _UNITS = 256
_PARTS = ("lstm.", "linear.")


class ResemblyzerNetwork(nn.Module):
    """From mel energies [pieces, 160, 40] to embeddings [pieces, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BINS, _UNITS, 3, batch_first=True)
        self.linear = nn.Linear(_UNITS, _UNITS)

    def forward(self, energies_btd: torch.Tensor) -> torch.Tensor:
        _, (hidden, _) = self.lstm(energies_btd)
        return functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


@torch.inference_mode()
def embed_speech(model: ResemblyzerNetwork, samples: Samples) -> npt.NDArray[np.float32] | None:
    """[256] of length 1, of speech at 16 kHz; None where the network puts out nothing, as of silence."""
    mean = model(pieces(samples)).mean(0)
    length = float(mean.norm())
    return (mean / length).numpy() if length > 0 else None


def import_resemblyzer(run: str, name: str, uri: str) -> None:
    """Puts the weights of a wheel of Resemblyzer, or of the file in it, into the run. ValueError if they are none."""
    model = _loaded(uri)
    write_weights(extractor_uri(run, name), model.state_dict(), {"kind": KIND})
    filesystem.delete(trained_speakers_uri(run, name))


def load_resemblyzer(uri: str) -> ResemblyzerNetwork:
    """From the run, in evaluation mode; ValueError naming a damaged or unknown file."""
    tensors, about = read_weights(uri)
    model = ResemblyzerNetwork()
    with refusing_unknown(uri):
        take_kind(about, KIND)
        model.load_state_dict(tensors)
    return model.eval()


def _loaded(uri: str) -> ResemblyzerNetwork:
    if not filesystem.exists(uri):
        raise ValueError(f"there is no {uri}; fetch it with `pip download resemblyzer==0.1.4 --no-deps`")
    data, model = filesystem.read_bytes(uri), ResemblyzerNetwork()
    try:
        if uri.endswith(".whl"):
            with zipfile.ZipFile(io.BytesIO(data)) as wheel:
                data = wheel.read(_IN_WHEEL)
        # Numbers alone: a pickle that would run code is refused.
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)["model_state"]
        model.load_state_dict({key: value for key, value in state.items() if key.startswith(_PARTS)})
    except (
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        EOFError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
    ) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{uri} has no weights of Resemblyzer 0.1.4 ({said}); give its wheel or pretrained.pt"
        ) from error
    return model
