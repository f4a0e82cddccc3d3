"""The k largest posteriors of every frame, and the probability that is lost with the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

CONFIDENCE_BINS = 10  # of an utterance's confidence, over 0 to 1


@dataclass(frozen=True)
class Labels:
    """One utterance: `senones` uint16 and `log_probs` float32 [frames, k], largest first, of the full posterior.

    `log_tail` float32 [frames] is that of all other senones together, where it is asked for.
    """

    senones: npt.NDArray[np.uint16]
    log_probs: npt.NDArray[np.float32]
    log_tail: npt.NDArray[np.float32] | None = None

    def with_tail(self, senones: int) -> Labels:
        """With the tail as an entry in its place, [frames, k + 1], whose senone is the number of all `senones`."""
        assert self.log_tail is not None, "labels whose tail was asked for"
        numbers_t = np.full((len(self.senones), 1), senones, np.uint16)
        senones_tk = np.concatenate([self.senones, numbers_t], 1)
        log_probs_tk = np.concatenate([self.log_probs, self.log_tail[:, None]], 1)
        order_tk = np.argsort(-log_probs_tk, axis=1, kind="stable")
        return Labels(np.take_along_axis(senones_tk, order_tk, 1), np.take_along_axis(log_probs_tk, order_tk, 1))

    @property
    def confidence(self) -> float:
        """The largest posterior, mean over frames; 0 without a frame."""
        return float(np.exp(self.log_probs[:, 0]).mean()) if len(self.log_probs) else 0.0


@dataclass(frozen=True)
class KeptMass:
    """Of `frames` frames: summed probability of the kept senones, and summed entropy (nats) of full posteriors."""

    frames: int = 0
    mass: float = 0.0
    entropy_nats: float = 0.0

    def __add__(self, other: KeptMass) -> KeptMass:
        return KeptMass(self.frames + other.frames, self.mass + other.mass, self.entropy_nats + other.entropy_nats)

    def means(self) -> dict[str, float]:
        """For a ledger entry: `kept_mass` and `entropy_nats`, means over the frames."""
        frames = max(self.frames, 1)
        return {"kept_mass": self.mass / frames, "entropy_nats": self.entropy_nats / frames}


@dataclass
class Meters:
    """A shard's statistics for the ledger: kept mass in total and by condition, and a histogram of confidence."""

    conditions: dict[str, KeptMass] = field(default_factory=dict)
    confidence_frames: list[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)

    def add(self, condition: str, labels: Labels, kept: KeptMass) -> None:
        self.conditions[condition] = self.conditions.get(condition, KeptMass()) + kept
        self.confidence_frames[confidence_bin(labels.confidence)] += kept.frames

    def statistics(self) -> dict[str, object]:
        whole = sum(self.conditions.values(), KeptMass())
        by_condition = {
            name: {"frames": kept.frames, **kept.means()} for name, kept in sorted(self.conditions.items())
        }
        return {**whole.means(), "conditions": by_condition, "confidence_frames": self.confidence_frames}


def confidence_bin(confidence: float) -> int:
    return min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)


def top_k(log_probs_ts: torch.Tensor, k: int, tail: bool = False) -> tuple[Labels, KeptMass]:
    """The k largest of normalised `log_probs_ts` [frames, senones], largest first, and the `tail` of the others."""
    largest_tk, senones_tk = log_probs_ts.topk(k, dim=1)
    # Sums over frames are in double precision: in float32 a sum over an hour of frames would lose digits.
    entropy_t = -(log_probs_ts.exp() * log_probs_ts).sum(dim=1)
    mass = largest_tk.exp().sum(dtype=torch.float64).item()
    kept = KeptMass(len(log_probs_ts), mass, entropy_t.sum(dtype=torch.float64).item())
    senones, largest = senones_tk.cpu().numpy().astype(np.uint16), largest_tk.cpu().numpy()
    if not tail:
        return Labels(senones, largest), kept
    # The sum of what is left: where nearly all is kept, one less that would be a rounding error.
    log_tail_t = log_probs_ts.scatter(1, senones_tk, -torch.inf).logsumexp(dim=1)
    return Labels(senones, largest, log_tail_t.cpu().numpy()), kept


def no_frames(k: int) -> Labels:
    """Targets of a copy, or of an utterance too short for one frame; the row stays, so that rows of stores match."""
    return Labels(np.zeros((0, k), np.uint16), np.zeros((0, k), np.float32), np.zeros(0, np.float32))
