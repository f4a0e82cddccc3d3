"""What the strategies say that a worker has sent, against what they gave to their group to exchange."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from ssl_asr.planning.network import minibatch_bytes
from ssl_asr.recipe import Optimiser, Sync
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate
from ssl_asr.training.sync.strategy import MEGABYTES_SENT
from ssl_asr.training.sync.traffic import all_gather_bytes, all_reduce_bytes

SIZE, STEPS, WORKERS = 50, 6, 3
SYNCS: Mapping[str, Sync] = {
    "dense": Sync(strategy="dense"),
    "gtc": Sync(strategy="gtc", gtc_share=None, gtc_tau=0.5, gtc_dense_steps=2),
    "averaged moments": Sync(),
    "no moments": Sync(optimiser_state="reset"),
    "bfloat16": Sync(optimiser_state="reset", wire="bfloat16"),
}


class Counted(SimulatedGroup):
    """Counts the bytes of all tensors that are as large as the model, and of gathered words."""

    def __init__(self, group: SimulatedGroup) -> None:
        super().__init__(group._table, group.rank)
        self.summed = self.gathered = 0

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.numel() >= SIZE:
            self.summed += tensor.numel() * tensor.element_size()
        return super().sum_(tensor)

    def gather(self, values_n: torch.Tensor) -> list[torch.Tensor]:
        self.gathered += values_n.numel() * values_n.element_size()
        return super().gather(values_n)


def trained(sync: Sync, workers: int) -> list[tuple[float, int, int]]:
    """The meter of a block of Adam's steps, and the bytes that were given to be summed and gathered, by worker."""

    def work(group: SimulatedGroup) -> tuple[float, int, int]:
        counted = Counted(group)
        model = nn.Linear(SIZE, 1, bias=False)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        strategy = build_strategy(model, optimiser, sync, counted)
        strategy.on_block_start([10.0] * STEPS)
        for step in range(STEPS):
            model.weight.grad = torch.full((1, SIZE), float(step + group.rank))
            strategy.on_after_backward()
            optimiser.step()
        return (
            strategy.on_block_end(10.0 * STEPS, 10 * STEPS).meters[MEGABYTES_SENT],
            counted.summed,
            counted.gathered,
        )

    return simulate(workers, work)


@pytest.mark.parametrize("name", SYNCS)
def test_the_meter_is_what_was_exchanged_in_a_ring(name: str) -> None:
    found = trained(SYNCS[name], WORKERS)
    words = sum(gathered for _, _, gathered in found) / WORKERS
    for megabytes, summed, _ in found:
        expected = all_reduce_bytes(WORKERS, summed) + all_gather_bytes(WORKERS, words)
        assert megabytes * 1e6 == pytest.approx(expected)
        assert megabytes > 0
    assert (words > 0) == (name == "gtc")


@pytest.mark.parametrize("name", ["dense", "averaged moments", "no moments", "bfloat16"])
def test_the_planner_expects_the_same(name: str) -> None:
    sync = SYNCS[name]
    expected = STEPS * minibatch_bytes(sync.strategy, SIZE, Optimiser(), sync, WORKERS, STEPS)
    assert trained(sync, WORKERS)[0][0] * 1e6 == pytest.approx(expected)


@pytest.mark.parametrize("name", SYNCS)
def test_a_single_worker_sends_nothing(name: str) -> None:
    assert trained(SYNCS[name], 1)[0][0] == 0
