"""Embeddings of whole utterances, in batches of like length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.speakers.extractor import SpeakerExtractor

_BATCH_FRAMES = 20_000


@torch.inference_mode()
def embed(model: SpeakerExtractor, utterances: Sequence[npt.NDArray[np.float16]]) -> npt.NDArray[np.float32]:
    """[utterances, d] of length 1, of utterances [30 ms frames, inputs] of one frame or more."""
    model.eval()
    lengths = [len(frames) for frames in utterances]
    assert all(lengths), "an utterance without a frame has no embedding"
    found = np.zeros((len(utterances), model.spec.dimensions), np.float32)
    for places in batches_of_like_length(lengths, _BATCH_FRAMES):
        frames = [torch.from_numpy(utterances[place].astype(np.float32)) for place in places]
        lengths_b = torch.tensor([len(each) for each in frames])
        found[places] = model(nn.utils.rnn.pad_sequence(frames, batch_first=True), lengths_b).numpy()
    return found
