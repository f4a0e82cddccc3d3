"""N workers simulated in one process: threads of which one runs at a time, taking turns at every collective.

They run the very code of real workers, so a study of accuracy against N needs no cluster. Each has a random state of
its own, that of the CPU, and turns are always the same, so the result is, bit for bit, that of every other run. Two
workers are two processes bit for bit; of more, gloo adds up in another order. Every one holds its model, its
optimiser's state and its strategy's: networks of some million parameters fit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class _Table:
    """Where simulated workers lay down what they say, and whose turn it is."""

    def __init__(self, size: int) -> None:
        self.size, self.failed = size, False
        # One for each worker: a turn passed on wakes the next one, not all others.
        self.turns = [threading.Semaphore(0) for _ in range(size)]
        self.turns[0].release()
        self.laid: list[Any] = [None] * size
        self.read: list[Any] = []

    def wait_for_turn(self, rank: int) -> None:
        self.turns[rank].acquire()
        if self.failed:
            raise RuntimeError("another simulated worker has failed")

    def pass_on(self, rank: int) -> None:
        if rank == self.size - 1:
            # A round is over: what all laid down is what each now reads.
            self.read, self.laid = self.laid, [None] * self.size
        self.turns[(rank + 1) % self.size].release()

    def fail(self) -> None:
        self.failed = True
        for turn in self.turns:
            turn.release()


class SimulatedGroup:
    """One simulated worker's view of its group."""

    def __init__(self, table: _Table, rank: int) -> None:
        self.rank, self.size = rank, table.size
        self._table = table

    def _exchange(self, value: Any) -> list[Any]:
        """Lay `value` down, let the others come to the same point, and read what all laid down."""
        random_state = torch.get_rng_state()
        self._table.laid[self.rank] = value
        self._table.pass_on(self.rank)
        self._table.wait_for_turn(self.rank)
        torch.set_rng_state(random_state)
        return self._table.read

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        laid = self._exchange(tensor.clone())
        if self.rank == 0:
            for other in laid[1:]:
                laid[0] += other
        return tensor.copy_(laid[0])

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        return self._exchange(values_n)

    def gather_objects(self, value: Any) -> list[Any]:
        return self._exchange(value)


def simulate(workers: int, work: Callable[[SimulatedGroup], Result]) -> list[Result]:
    """What `work` returns for each of so many workers, by rank; the first error of any of them is raised."""
    table = _Table(workers)

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
    """The cause, not that others were stopped by it."""
    errors = [error for error in (done.exception() for done in running) if error is not None]
    causes = [error for error in errors if "another simulated worker" not in str(error)]
    if errors:
        raise (causes or errors)[0]
