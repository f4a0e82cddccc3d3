"""Gradient threshold compression (GTC): sends only gradients past a threshold; the residual is error feedback.

Strom, Interspeech 2015, in its synchronous form. Each worker adds its gradient to a residual. Every element of the
residual of size tau or more is sent as +tau or -tau, one 32-bit word, and subtracted from the residual. All words go
to all workers, which add them up in the same order. The sent words and the residual add up to the gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.gradients import replace_gradients, step_weights, weighted
from ssl_asr.training.sync.group import Group, sum_numbers
from ssl_asr.training.sync.strategy import MEGABYTES_SENT, State, Synced
from ssl_asr.training.sync.traffic import all_gather_bytes, all_reduce_bytes

# The sign is the word's top bit, so +tau at index i is i and -tau is i - 2^31.
_INDEX, _NEGATIVE = 2**31 - 1, -(2**31)
_WORD_BYTES = 4
# The threshold rises by this part of the excess over the wanted share, and by at most this factor a step.
_GAIN, _FASTEST = 0.1, 1.25
_SAMPLE = 2**18
# Elements searched at once on a CPU: this many stay in its cache.
_PIECE = 2**16


def gtc_compress(residual_p: torch.Tensor, tau: float) -> torch.Tensor:
    """Words, int32 [n], for all elements of size `tau` or more; subtracts them from `residual_p`, in place."""
    assert residual_p.numel() <= _INDEX, "an index has 31 bits"
    index_n = _past(residual_p, tau)
    negative_n = residual_p[index_n] < 0
    residual_p.index_add_(0, index_n, _values(negative_n, -tau, residual_p))
    index_n = index_n.to(torch.int32)
    return torch.where(negative_n, index_n + _NEGATIVE, index_n)


def _past(residual_p: torch.Tensor, tau: float) -> torch.Tensor:
    """Indices, int64 [n], of all elements of at least `tau` in size."""
    if residual_p.device.type != "cpu":
        return (residual_p.abs() >= tau).nonzero().squeeze(1)
    # torch's nonzero takes six times as long as numpy's, and temporaries of full size take as long again.
    sizes = residual_p.numpy()
    begins = range(0, len(sizes), _PIECE)
    found = [np.flatnonzero(np.abs(sizes[begin : begin + _PIECE]) >= tau) + begin for begin in begins]
    return torch.from_numpy(np.concatenate(found))


def gtc_add(words_n: torch.Tensor, tau: float, into_p: torch.Tensor) -> None:
    """Add the values of one worker's words to `into_p`, in place."""
    into_p.index_add_(0, (words_n & _INDEX).long(), _values(words_n < 0, tau, into_p))


def _values(negative_n: torch.Tensor, tau: float, like: torch.Tensor) -> torch.Tensor:
    return torch.where(negative_n, -tau, tau).to(like.dtype)


def adapted_tau(tau: float, sent: float, wanted: float) -> float:
    """The next step's threshold, after a share `sent` of all elements was sent instead of the share `wanted`."""
    return tau * min(1 + _GAIN * (sent / wanted - 1), _FASTEST)


def first_tau(residual_p: torch.Tensor, share: float) -> float:
    """The threshold past which a `share` of the residual lies, or all elements that are not 0, if these are fewer.

    It is estimated on a sample of elements; 0 if all gradients are 0.
    """
    sample_n = residual_p[:: -(-residual_p.numel() // _SAMPLE)].abs()
    sizes_n = sample_n[sample_n > 0]
    if len(sizes_n) == 0:
        return 0.0
    return float(sizes_n.kthvalue(max(len(sizes_n) - round(share * len(sample_n)), 1)).values)


class Gtc:
    """GTC as callbacks of the training loop; the first steps are dense. Each worker has its own residual."""

    def __init__(self, model: nn.Module, sync: Sync, group: Group) -> None:
        self.model, self.sync, self.group = model, sync, group
        self.summed = sync.gradients == "sum"
        self.residual = torch.zeros_like(flat.parameters(model))
        # A step's gradient, then its update; reused in every step, because allocation costs more than either.
        self._buffer = torch.zeros_like(self.residual)
        self.tau = 0.0 if sync.gtc_tau is None else sync.gtc_tau  # 0: estimated from the first residuals
        self.step = 0
        self._weights: Iterator[float] = iter(())
        self._dropped = self._words = self._compressed_steps = self._dense_steps = 0

    def on_block_start(self, batch_weights: Sequence[float]) -> int:
        """Steps of this block: those of the worker with the most batches; the others send from their residuals."""
        self._dropped = self._words = self._compressed_steps = self._dense_steps = 0
        weights = step_weights(self.group, batch_weights, summed=self.summed, device=self.residual.device)
        self._weights = iter(weights)
        return len(weights)

    def on_after_backward(self) -> int:
        """Replace this worker's gradient by the sum of what all workers send."""
        self._dropped += not weighted(self.model, next(self._weights), self._buffer)
        self.step += 1
        if self.step <= self.sync.gtc_dense_steps:
            self._dense_steps += 1
            self.group.sum_(self._buffer)
        else:
            self.residual += self._buffer
            self._exchange(self._buffer.zero_())
        replace_gradients(self.model, self._buffer)
        return self.group.size if self.summed else 1

    def _exchange(self, update: torch.Tensor) -> None:
        """Send what has grown past the threshold; add what all workers sent to `update`, which is all zeros."""
        if self.tau == 0 and self.sync.gtc_share is not None:
            mine = first_tau(self.residual, self.sync.gtc_share)
            self.tau = sum_numbers(self.group, [mine], update.device)[0] / self.group.size
        if self.tau == 0:
            return  # all gradients so far are 0
        words = self.group.gather(gtc_compress(self.residual, self.tau))
        for sent in words:
            gtc_add(sent, self.tau, update)
        self._compressed_steps += 1
        self._words += len(words[self.group.rank])
        if self.sync.gtc_share is not None:
            share = sum(map(len, words)) / (self.group.size * update.numel())
            self.tau = adapted_tau(self.tau, share, self.sync.gtc_share)

    def on_block_end(self, weight: float, frames: int) -> Synced:
        mine = [float(frames), float(self._dropped), float(self._words), float(self.residual.norm()) ** 2]
        all_frames, dropped, words, squares = sum_numbers(self.group, mine, self.residual.device)
        elements = self.group.size * self._compressed_steps * self.residual.numel()
        dense_bytes = self._dense_steps * self.residual.numel() * self.residual.element_size()
        # The mean worker's words, each of which goes to all others.
        sent = all_gather_bytes(self.group.size, words / self.group.size * _WORD_BYTES)
        sent += all_reduce_bytes(self.group.size, dense_bytes)
        meters = {
            "gtc_sent_share": words / max(elements, 1),
            "gtc_tau": self.tau,
            "gtc_residual_norm": squares**0.5,
            MEGABYTES_SENT: sent / 1e6,
        }
        return Synced(int(all_frames), int(dropped), meters)

    def global_model(self) -> torch.Tensor:
        return flat.parameters(self.model)

    def state_dict(self) -> State:
        where = torch.tensor([self.tau, float(self.step)], dtype=torch.float64)
        return {"theta": flat.parameters(self.model), "tau_and_step": where}

    def load_state_dict(self, state: State) -> None:
        flat.unflatten_into(state["theta"], self.model.parameters())
        self.tau, step = state["tau_and_step"].tolist()
        self.step = int(step)

    def local_state_dict(self) -> State:
        return {"residual": self.residual}

    def load_local_state_dicts(self, states: Iterable[State], *, redistributed: bool) -> None:
        """Load its own residual, or an equal part of the sum of all residuals, so that no gradient is lost."""
        self.residual.zero_()
        for state in states:
            self.residual += state["residual"].to(self.residual.device)
        if redistributed:
            self.group.sum_(self.residual).div_(self.group.size)
