"""What workers can train: all that the loop's surroundings know of a training.

A driver sends it to every worker, so it holds no speech: a worker reads what it needs from the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ssl_asr.recipe import Sync
from ssl_asr.training.curve import Record
from ssl_asr.training.data.sources import Source
from ssl_asr.training.loop import Loop
from ssl_asr.training.schedule import Phase
from ssl_asr.training.sync.group import Worker


class Trainable(Protocol):
    """`name` is its folder's below the run's `training/`. One with the same `key` goes on from its checkpoint."""

    @property
    def run(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def schedule(self) -> Sequence[Phase]: ...

    @property
    def sources(self) -> Sequence[Source]: ...

    @property
    def sync(self) -> Sync: ...

    @property
    def dev(self) -> Source | None:
        """What is judged by the objective `dev_objective` at the end of every sub-epoch; None: nothing."""
        ...

    @property
    def dev_objective(self) -> str: ...

    def build_loop(self, worker: Worker) -> Loop:
        """Before the first step: the same on every worker. ValueError in one sentence where it can't be trained."""
        ...

    def finish(self, loop: Loop, curve: Sequence[Record]) -> None:
        """After the last step, on all workers, of which the first writes what was trained; `curve` is its alone."""
        ...
