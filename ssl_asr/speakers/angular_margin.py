"""The speakers' centres of the additive angular margin loss: trained with the network, and then left behind."""

from __future__ import annotations

import torch
from torch import nn

from ssl_asr.speakers.losses import angular_margin_losses

# As usual for speaker embeddings (Desplanques et al. 2020, ECAPA-TDNN). Deng et al. 2019 have 0.5 and 64 for faces.
MARGIN, SCALE = 0.2, 30.0


class AngularMargin(nn.Module):
    """A centre for each speaker of the training speech; of the loss, only their directions matter."""

    def __init__(self, speakers: int, dimensions: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(speakers, dimensions))

    def forward(self, embeddings_nd: torch.Tensor, truth_n: torch.Tensor) -> torch.Tensor:
        """Nats [n] of utterances of the speakers `truth_n`."""
        return angular_margin_losses(embeddings_nd, self.centres, truth_n, MARGIN, SCALE)
