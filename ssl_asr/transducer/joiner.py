"""The joiner: a frame and a sequence of labels in, logits of the next label or of blank out."""

from __future__ import annotations

import torch
from torch import nn


class Joiner(nn.Module):
    """Linear(tanh(projected encoder output + projected predictor output)), as Graves et al. 2013."""

    def __init__(self, encoder_width: int, predictor_width: int, width: int, outputs: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(encoder_width, width)
        self.predictor = nn.Linear(predictor_width, width, bias=False)
        self.output = nn.Linear(width, outputs)

    def project_encoded(self, encoded_bte: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.encoder(encoded_bte)
        return projected

    def project_predicted(self, predicted_bup: torch.Tensor) -> torch.Tensor:
        projected: torch.Tensor = self.predictor(predicted_bup)
        return projected

    def forward(self, projected_encoded: torch.Tensor, projected_predicted: torch.Tensor) -> torch.Tensor:
        """Logits [..., outputs] of projections [..., width], which are broadcast against each other."""
        logits: torch.Tensor = self.output(torch.tanh(projected_encoded + projected_predicted))
        return logits
