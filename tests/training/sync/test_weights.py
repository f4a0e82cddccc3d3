"""Workers of unequal weights: every strategy averages by weight, whatever the number of frames."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.build import build_strategy
from ssl_asr.training.sync.simulation import SimulatedGroup, simulate

FRAMES = (7, 400)
SYNCS = {
    "bmuf": Sync(eta=0.0, zeta=1.0),
    "dense": Sync(strategy="dense"),
    "gtc, dense steps": Sync(strategy="gtc", gtc_dense_steps=10),
    "gtc": Sync(strategy="gtc", gtc_dense_steps=0, gtc_share=None, gtc_tau=1e-4),
    "warm start": Sync(warm_start_hours=1.0),
}


def one_step(sync: Sync, weights: tuple[float, float]) -> list[torch.Tensor]:
    """The global model, from 0, after a step in which worker 0 moves by 1 and worker 1 by 3."""

    def work(group: SimulatedGroup) -> torch.Tensor:
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
        strategy = build_strategy(model, optimiser, sync, group)
        assert strategy.on_block_start([weights[group.rank]]) == 1
        model.weight.grad = torch.full((1, 1), (-1.0, -3.0)[group.rank])
        strategy.on_after_backward()
        optimiser.step()
        synced = strategy.on_block_end(weights[group.rank], FRAMES[group.rank])
        assert synced.frames == sum(FRAMES)
        return strategy.global_model()

    return simulate(2, work)


def mean(weights: tuple[float, float]) -> float:
    return (weights[0] + 3 * weights[1]) / sum(weights)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (30.0, 10.0), (0.3, 0.1), (0.0, 0.5), (1e4, 3.0)])
@pytest.mark.parametrize("name", ["dense", "gtc, dense steps", "warm start"])
def test_gradients_are_averaged_by_weight(name: str, weights: tuple[float, float]) -> None:
    for model in one_step(SYNCS[name], weights):
        assert float(model) == pytest.approx(mean(weights))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (30.0, 10.0), (0.3, 0.1), (0.0, 0.5)])
def test_models_are_averaged_by_weight(weights: tuple[float, float]) -> None:
    """BMUF's step is that mean times the number of workers that stand behind it."""
    behind = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    for model in one_step(SYNCS["bmuf"], weights):
        assert float(model) == pytest.approx(mean(weights) * behind / 2)


def test_compressed_gradients_carry_their_weight() -> None:
    """What of each worker's weighted gradient is not yet sent is kept: the sum of both is the mean gradient."""
    weights = (0.3, 0.1)

    def work(group: SimulatedGroup) -> float:
        model = nn.Linear(1, 1, bias=False)
        strategy = build_strategy(model, torch.optim.SGD(model.parameters(), lr=1.0), SYNCS["gtc"], group)
        strategy.on_block_start([weights[group.rank]])
        model.weight.grad = torch.full((1, 1), (-1.0, -3.0)[group.rank])
        strategy.on_after_backward()
        assert model.weight.grad is not None
        waiting = group.gather_objects(float(flat.flatten([strategy.local_state_dict()["residual"]])))
        return float(model.weight.grad) + sum(waiting)

    assert simulate(2, work) == [pytest.approx(-mean(weights))] * 2


def test_a_step_that_weighs_nothing_moves_nothing() -> None:
    for name in ("dense", "bmuf"):
        for model in one_step(SYNCS[name], (0.0, 0.0)):
            assert float(model) == 0
