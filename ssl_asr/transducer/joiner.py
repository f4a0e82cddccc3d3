"""The joiner of a transducer: logits from the outputs of the encoder and of the predictor."""

from __future__ import annotations

import torch
from torch import nn


class Joiner(nn.Module):
    """Both are projected to `width` and added; then tanh, and a linear layer to `outputs` logits. Label 0 is blank.

    Graves, Mohamed and Hinton, "Speech recognition with deep recurrent neural networks" (2013), section 3.2.
    """

    def __init__(self, encoder_width: int, predictor_width: int, width: int, outputs: int) -> None:
        super().__init__()
        self.width, self.outputs = width, outputs
        self.encoder_projection = nn.Linear(encoder_width, width)
        self.predictor_projection = nn.Linear(predictor_width, width, bias=False)  # one bias is enough for a sum
        self.output = nn.Linear(width, outputs)

    def join(self, encoded_j: torch.Tensor, predicted_j: torch.Tensor) -> torch.Tensor:
        """Logits [..., outputs] of projected outputs [..., width], whose other dimensions fit or are 1.

        A search projects each output once, and joins it as often as it likes.
        """
        logits: torch.Tensor = self.output(torch.tanh(encoded_j + predicted_j))
        return logits

    def forward(self, encoded_bte: torch.Tensor, predicted_bup: torch.Tensor) -> torch.Tensor:
        """Logits [B, T, U + 1, outputs] of every frame with every text: large. See `joint_loss.py` for training."""
        encoded_btj = self.encoder_projection(encoded_bte)
        predicted_buj = self.predictor_projection(predicted_bup)
        return self.join(encoded_btj[:, :, None], predicted_buj[:, None])
