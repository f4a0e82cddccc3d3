"""What a stream's search reads: the network with carried state and look-ahead, in blocks whatever the chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.serving.network import Float32, Network


class OnlineNetwork:
    """Stacked frames in, blocks of outputs out, each of `block` frames; `finish` gives the rest.

    The blocks begin at the same frames however the audio comes in, so the outputs are the same to the last bit.
    Outputs lag the inputs by the look-ahead: the first ones mean nothing, and behind the last frame it is repeated,
    as `AcousticModel.logits` and `TransducerModel.encode_whole` do.
    """

    def __init__(self, network: Network, block: int) -> None:
        self._network, self._block = network, block
        self._ahead = network.shape.look_ahead
        self._state = network.initial_state()
        self._waiting = np.zeros((0, network.shape.inputs), np.float32)
        self._to_skip = self._ahead
        self._last: Float32 | None = None

    def accept(self, frames: Float32) -> Iterator[Float32]:
        """Outputs [at most block, outputs] that are known with `frames` [30 ms frames, inputs]."""
        if len(frames):
            self._last = frames[-1:]
        self._waiting = np.concatenate([self._waiting, frames])
        while len(self._waiting) >= self._block:
            yield from self._next(self._block)

    def finish(self) -> Iterator[Float32]:
        """Those of the last frames."""
        if self._last is not None:
            yield from self.accept(np.repeat(self._last, self._ahead, axis=0))
        if len(self._waiting):
            yield from self._next(len(self._waiting))

    def _next(self, length: int) -> Iterator[Float32]:
        frames, self._waiting = self._waiting[:length], self._waiting[length:]
        outputs, self._state = self._network.run(frames, self._state)
        meaningful = outputs[self._to_skip :]
        self._to_skip = max(self._to_skip - length, 0)
        if len(meaningful):
            yield meaningful


class OnlineScorer(OnlineNetwork):
    """The same for a network of senones, whose log posteriors become scores."""

    def __init__(self, network: Network, log_priors: Float32, scales: Scales, block: int) -> None:
        super().__init__(network, block)
        self._log_priors, self._scales = log_priors, scales

    def _next(self, length: int) -> Iterator[Float32]:
        for posteriors in super()._next(length):
            yield acoustic_scores(posteriors, self._log_priors, self._scales)
