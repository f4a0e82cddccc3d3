"""N workers simulated in one process: threads of which one runs at a time, taking turns at every collective.

They run the same code as real workers, so a study of accuracy against N needs no cluster. Each has its own state of
the CPU's random generator, and the order of turns is fixed, so every run gives the same bits. Two simulated workers
are bit-identical to two processes; with more, gloo adds in another order. Every worker holds its own model, optimiser
state and strategy state: networks with a few million parameters fit in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class _Exchange:
    """The values that simulated workers exchange, and whose turn it is."""

    def __init__(self, size: int) -> None:
        self.size, self.failed = size, False
        # One semaphore for each worker: passing the turn on wakes only the next worker.
        self.turns = [threading.Semaphore(0) for _ in range(size)]
        self.turns[0].release()
        self.posted: list[Any] = [None] * size
        self.read: list[Any] = []

    def wait_for_turn(self, rank: int) -> None:
        self.turns[rank].acquire()
        if self.failed:
            raise RuntimeError("another simulated worker has failed")

    def pass_on(self, rank: int) -> None:
        if rank == self.size - 1:
            # The round is over: every worker now reads the values of all.
            self.read, self.posted = self.posted, [None] * self.size
        self.turns[(rank + 1) % self.size].release()

    def fail(self) -> None:
        self.failed = True
        for turn in self.turns:
            turn.release()


class SimulatedGroup:
    """One simulated worker's view of its group."""

    def __init__(self, table: _Exchange, rank: int) -> None:
        self.rank, self.size = rank, table.size
        self._table = table

    def _exchange(self, value: Any) -> list[Any]:
        """Store `value`, let the other workers reach the same point, and read the values of all."""
        random_state = torch.get_rng_state()
        self._table.posted[self.rank] = value
        self._table.pass_on(self.rank)
        self._table.wait_for_turn(self.rank)
        torch.set_rng_state(random_state)
        return self._table.read

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        posted = self._exchange(tensor.clone())
        if self.rank == 0:
            for other in posted[1:]:
                posted[0] += other
        return tensor.copy_(posted[0])

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        return self._exchange(values_n)

    def gather_objects(self, value: Any) -> list[Any]:
        return self._exchange(value)


def simulate(workers: int, work: Callable[[SimulatedGroup], Result]) -> list[Result]:
    """The results of `work` for each of `workers` workers, by rank; raises the first error of any of them."""
    table = _Exchange(workers)

    def run(rank: int) -> Result:
        table.wait_for_turn(rank)
        try:
            result = work(SimulatedGroup(table, rank))
        except BaseException:
            table.fail()
            raise
        table.pass_on(rank)
        return result

    before = torch.get_rng_state()
    with ThreadPoolExecutor(workers, "simulated") as threads:
        running = [threads.submit(run, rank) for rank in range(workers)]
        wait(running)
    torch.set_rng_state(before)
    _raise_first(running)
    return [done.result() for done in running]


def _raise_first(running: list[Future[Any]]) -> None:
    """Raises the cause, not the errors of the workers that it stopped."""
    errors = [error for error in (done.exception() for done in running) if error is not None]
    causes = [error for error in errors if "another simulated worker" not in str(error)]
    if errors:
        raise (causes or errors)[0]
