"""The speed of a stage, the time left, and the cost of its actors so far."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.progress import clock


@dataclass(frozen=True)
class Throughput:
    """`done` of `total` seconds of audio in `spent` seconds; `price` of an actor's hour, 0 if unknown.

    `spent` includes overhead such as starting the actors, so the speed is what a user gets.
    """

    done: float
    total: float
    spent: float
    actor_hours: float
    price: float
    under_way: bool

    def text(self) -> str:
        """Text for the user: "1.62 of 3.00 h of audio, 230 x real time, 22 s left, 0.021 actor hours, cost 0.04"."""
        hours = f"{self.done / 3600:.2f}"
        parts = [f"{hours} of {self.total / 3600:.2f} h of audio" if self.under_way else f"{hours} h of audio"]
        if self.done and self.spent:
            parts.append(f"{self.done / self.spent:,.0f} x real time")
        if (left := self.seconds_left) is not None:
            parts.append(f"{clock(left)} left")
        if self.actor_hours:
            parts.append(f"{self.actor_hours:,.3f} actor hours")
        if self.actor_hours and self.price:
            parts.append(f"cost {self.actor_hours * self.price:,.2f}")
        return ", ".join(parts)

    @property
    def seconds_left(self) -> float | None:
        """Seconds left; None if the stage is finished or its speed is unknown."""
        if not (self.under_way and self.done and self.spent):
            return None
        return max(self.total - self.done, 0.0) * self.spent / self.done
