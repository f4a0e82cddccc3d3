"""The transducer: an encoder of frames, a predictor of labels, and a joiner of both.

Graves, "Sequence transduction with recurrent neural networks" (2012). Training scores `encode_whole`'s outputs with
the predictor's of the whole text; searches go on frame by frame and label by label.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ssl_asr.models.normalised import NormalisedEncoder, with_look_ahead
from ssl_asr.recipe import NetworkSection, SeparatorNetwork
from ssl_asr.recipe.predictor import PredictorSection
from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.predictor import PredictorState, build_predictor


@dataclass(frozen=True)
class TransducerSpec:
    """`inputs` is the width of a 30 ms frame, `joiner` that of the joiner, `outputs` counts the blank too."""

    network: NetworkSection
    predictor: PredictorSection
    joiner: int
    inputs: int
    outputs: int

    def build(self) -> TransducerModel:
        return TransducerModel(self)


class TransducerModel(NormalisedEncoder):
    """Label 0 is blank."""

    def __init__(self, spec: TransducerSpec) -> None:
        super().__init__(spec.network, spec.inputs)
        self.spec = spec
        self.dropout = nn.Dropout(spec.network.dropout)
        self.predictor = build_predictor(spec.predictor, spec.outputs)
        self.joiner = Joiner(self.encoder.width, self.predictor.width, spec.joiner, spec.outputs)

    def encode_whole(self, frames_btd: torch.Tensor, lengths_b: torch.Tensor) -> torch.Tensor:
        """The encoder's outputs [B, T, width] of whole utterances, without its delay: an output for each frame.

        Of a separator [channels, B, T, width]. `lengths_b` lies on the CPU. Outputs of padding mean nothing.
        """
        ahead = self.encoder.look_ahead
        hidden_btd, _ = self.encode(*with_look_ahead(frames_btd, lengths_b, ahead))
        outputs: torch.Tensor = self.dropout(hidden_btd[..., ahead:, :])
        return outputs

    # A search projects what the encoder says of a frame once, and what the predictor says of a sequence once.

    def project(self, encoded_bte: torch.Tensor) -> torch.Tensor:
        """Encoder outputs as the joiner takes them, [..., joiner]."""
        return self.joiner.encoder_projection(encoded_bte)

    def begin(self, n: int) -> tuple[torch.Tensor, PredictorState]:
        """Of `n` sequences without a label: predictor outputs as the joiner takes them [n, joiner], and the state."""
        predicted_np, state = self.predictor.begin(n)
        return self.joiner.predictor_projection(predicted_np), state

    def step(self, labels_b: torch.Tensor, state: PredictorState) -> tuple[torch.Tensor, PredictorState]:
        """Of sequences with one more label: as `begin`."""
        predicted_bp, after = self.predictor.step(labels_b, state)
        return self.joiner.predictor_projection(predicted_bp), after

    def log_probabilities(self, encoded_j: torch.Tensor, predicted_j: torch.Tensor) -> torch.Tensor:
        """[..., outputs] of what `project`, `begin` and `step` give, [..., joiner] and broadcast to each other."""
        logits: torch.Tensor = self.joiner.join(encoded_j, predicted_j)
        return logits.float().log_softmax(-1)


class EncoderStream:
    """One utterance through a causal encoder, in chunks: in the end an output for each frame, as of `encode_whole`.

    Outputs are [frames, width], of a separator [channels, frames, width]. ValueError where the encoder needs whole
    utterances.
    """

    def __init__(self, model: NormalisedEncoder) -> None:
        self.model = model
        self._state = model.encoder.initial_state(1)
        self._to_drop = model.encoder.look_ahead
        self._last: torch.Tensor | None = None

    @torch.inference_mode()
    def accept(self, frames_td: torch.Tensor) -> torch.Tensor:
        """Outputs of any number of frames, which can be known after these frames."""
        if len(frames_td):
            self._last = frames_td[-1:]
        return self._encoded(frames_td)

    @torch.inference_mode()
    def finish(self) -> torch.Tensor:
        """The outputs that are left, after the last frame."""
        if self._last is None:
            return self._nothing()
        return self._encoded(self._last.expand(self.model.encoder.look_ahead, -1))

    def _encoded(self, frames_td: torch.Tensor) -> torch.Tensor:
        if not len(frames_td):
            return self._nothing()
        hidden_btd, after = self.model.encode(frames_td[None], torch.tensor([len(frames_td)]), self._state)
        assert after is not None, "an encoder that is given a state returns one"
        self._state = after
        dropped = min(self._to_drop, len(frames_td))
        self._to_drop -= dropped
        return hidden_btd.select(-3, 0)[..., dropped:, :]

    def _nothing(self) -> torch.Tensor:
        section = self.model.encoder.section
        channels = (section.channels,) if isinstance(section, SeparatorNetwork) else ()
        return self.model.mean.new_zeros(*channels, 0, self.model.encoder.width)
