"""A transducer's steps by torch, in evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.predictor import PredictorState
from ssl_asr.transducer.steps import Float32, StepState


class ModelSteps:
    """As `TransducerSteps`. On the CPU no array is copied."""

    def __init__(self, model: TransducerModel) -> None:
        self._model, self._device = model, model.mean.device

    @torch.inference_mode()
    def project(self, encoded_te: torch.Tensor) -> Float32:
        """The encoder's outputs [frames, width] as a search takes them, [frames, joiner]."""
        return _array(self._model.project(encoded_te))

    @torch.inference_mode()
    def begin(self) -> tuple[Float32, StepState]:
        return _arrays(*self._model.begin(1))

    @torch.inference_mode()
    def step(self, labels: Sequence[int], state: StepState) -> tuple[Float32, StepState]:
        before = tuple(torch.from_numpy(each).to(self._device) for each in state)
        return _arrays(*self._model.step(torch.tensor(labels, device=self._device), before))

    @torch.inference_mode()
    def log_probabilities(self, encoded_j: Float32, predicted_kj: Float32) -> Float32:
        frame_j, rows_kj = (torch.from_numpy(each).to(self._device) for each in (encoded_j, predicted_kj))
        return _array(self._model.log_probabilities(frame_j, rows_kj))


def _arrays(predicted_kj: torch.Tensor, state: PredictorState) -> tuple[Float32, StepState]:
    return _array(predicted_kj), tuple(each.cpu().numpy() for each in state)


def _array(tensor: torch.Tensor) -> Float32:
    array: Float32 = tensor.cpu().numpy()
    return array
