"""The k largest logits of every frame, and what is lost by keeping no more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ssl_asr.store.targets import TopK


@dataclass(frozen=True)
class Kept:
    """Of `frames` frames: summed probability of the kept senones, summed entropy (nats) of whole posteriors."""

    frames: int = 0
    mass: float = 0.0
    entropy_nats: float = 0.0

    def __add__(self, other: Kept) -> Kept:
        return Kept(self.frames + other.frames, self.mass + other.mass, self.entropy_nats + other.entropy_nats)

    def means(self) -> dict[str, float]:
        """For a ledger entry: `kept_mass` and `entropy_nats`, means over the frames."""
        frames = max(self.frames, 1)
        return {"kept_mass": self.mass / frames, "entropy_nats": self.entropy_nats / frames}


def top_k(logits_ts: torch.Tensor, k: int) -> tuple[TopK, Kept]:
    """The k largest of `logits_ts` [frames, senones] in half precision, largest first."""
    largest_tk, senones_tk = logits_ts.topk(k, dim=1)
    log_posteriors_ts = logits_ts.log_softmax(dim=1)
    entropy_t = -(log_posteriors_ts.exp() * log_posteriors_ts).sum(dim=1)
    mass_t = (largest_tk - logits_ts.logsumexp(dim=1, keepdim=True)).exp().sum(dim=1)
    kept = Kept(len(logits_ts), mass_t.sum(dtype=torch.float64).item(), entropy_t.sum(dtype=torch.float64).item())
    return TopK(senones_tk.cpu().numpy().astype(np.uint16), largest_tk.half().cpu().numpy()), kept


def no_frames(k: int) -> TopK:
    """Targets of an utterance too short for one 30 ms frame; its row stays, so that rows stay joined."""
    return TopK(np.zeros((0, k), np.uint16), np.zeros((0, k), np.float16))
