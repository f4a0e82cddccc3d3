"""The board: an actor on which the first worker posts block records, and the driver reads them as they come."""

from __future__ import annotations

from dataclasses import dataclass, field

import ray

from ssl_asr.training.curve import Record


@dataclass
class News:
    """Records since the driver last looked; `restarted` holds the curve to begin again from, if it did.

    `refused` is the sentence of a ValueError: bad input or a diverged model, which no restart would mend.
    """

    restarted: list[Record] | None = None
    refused: str | None = None
    records: list[Record] = field(default_factory=list)


@ray.remote(num_cpus=0)
class Board:
    def __init__(self) -> None:
        self._news = News()

    def restart(self, curve: list[Record]) -> None:
        """Workers have begun, or begun again, after the blocks of `curve`."""
        self._news = News(restarted=curve)

    def post(self, record: Record) -> None:
        self._news.records.append(record)

    def refuse(self, sentence: str) -> None:
        self._news.refused = sentence

    def take(self) -> News:
        taken, self._news = self._news, News()
        return taken
