"""Two real processes over gloo: each strategy gives what one process computes from both shares, and what two
workers simulated in one process give, bit for bit.
"""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from ssl_asr.recipe import Sync
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.bmuf import Bmuf, block_rate, block_start, bmuf_update, contributors
from ssl_asr.training.sync.dense import Dense
from ssl_asr.training.sync.group import DistributedGroup, Group, assert_agreed
from ssl_asr.training.sync.gtc import Gtc
from ssl_asr.training.sync.moments import steps_of
from ssl_asr.training.sync.simulation import simulate

WORKERS = 2
FRAMES = (30, 10)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(5, 4)


def data(rank: int) -> torch.Tensor:
    return torch.randn(FRAMES[rank], 5, generator=torch.Generator().manual_seed(rank))


def bmuf_blocks(group: Group, broken: int | None) -> tuple[torch.Tensor, int]:
    """Two blocks of one SGD step; worker `broken` ends the second with a NaN. Returns theta and drops."""
    model, rank = network(), group.rank
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    strategy = Bmuf(model, optimiser, Sync(), group)
    dropped = 0
    for block in range(2):
        strategy.on_block_start([FRAMES[rank]])
        optimiser.zero_grad()
        model(data(rank)).square().mean().backward()
        optimiser.step()
        if rank == broken and block == 1:
            with torch.no_grad():
                model.bias[0] = float("nan")
        dropped += strategy.on_block_end(FRAMES[rank], FRAMES[rank]).dropped
    return strategy.theta, dropped


def dense_steps(group: Group) -> tuple[torch.Tensor, int]:
    """Three steps; the second worker has data for only two of them and joins the third with none."""
    model, rank = network(), group.rank
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    strategy = Dense(model, Sync(), group)
    steps = strategy.on_block_start([FRAMES[rank]] * (3 if rank == 0 else 2))
    for step in range(steps):
        optimiser.zero_grad()
        has_data = rank == 0 or step < 2
        if has_data:
            model(data(rank)).square().mean().backward()
        strategy.on_after_backward()
        optimiser.step()
    return strategy.global_model(), steps


def empty_hand(group: Group) -> tuple[torch.Tensor, int]:
    """The second worker gets no batch in the first block, nor any optimiser state before the second."""
    model, rank = network(), group.rank
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    strategy = Bmuf(model, optimiser, Sync(), group)
    for block in range(2):
        has_data = rank == 0 or block == 1
        strategy.on_block_start([FRAMES[rank]] if has_data else [])
        if has_data:
            optimiser.zero_grad()
            model(data(rank)).square().mean().backward()
            optimiser.step()
        strategy.on_block_end(FRAMES[rank] if has_data else 0, FRAMES[rank] if has_data else 0)
    return strategy.theta, int(steps_of(optimiser))


def gtc_steps(group: Group) -> tuple[torch.Tensor, int]:
    """Six steps of which the first is dense; the threshold adapts."""
    model, rank = network(), group.rank
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    strategy = Gtc(model, Sync(gtc_share=0.2, gtc_dense_steps=1), group)
    steps = strategy.on_block_start([FRAMES[rank]] * (6 if rank == 0 else 4))
    for step in range(steps):
        optimiser.zero_grad()
        has_data = rank == 0 or step < 4
        if has_data:
            model(data(rank)).square().mean().backward()
        strategy.on_after_backward()
        optimiser.step()
    return strategy.global_model(), int(strategy.on_block_end(100, 100).meters["gtc_sent_share"] * 1e6)


JOBS = {
    "empty hand": empty_hand,
    "bmuf": lambda group: bmuf_blocks(group, None),
    "nan": lambda group: bmuf_blocks(group, 1),
    "dense": dense_steps,
    "gtc": gtc_steps,
}


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=WORKERS)
    group = DistributedGroup()
    for what, job in JOBS.items():
        model, count = job(group)
        assert_agreed(group, what, flat.fingerprint(model))
        torch.save({"model": model, "count": torch.tensor(count)}, f"{folder}/{what}-{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both processes left their results."""
    folder = tmp_path_factory.mktemp("workers")
    mp.spawn(worker, (str(folder),), WORKERS)
    return folder


def result(folder: Path, what: str) -> tuple[torch.Tensor, int]:
    results = [torch.load(folder / f"{what}-{rank}.pt", weights_only=True) for rank in range(WORKERS)]
    assert torch.equal(results[0]["model"], results[1]["model"])
    return results[0]["model"], int(results[0]["count"])


@pytest.mark.parametrize("what", JOBS)
def test_simulated_workers_are_those_of_processes_bit_for_bit(folder: Path, what: str) -> None:
    model, count = result(folder, what)
    for simulated, simulated_count in simulate(WORKERS, JOBS[what]):
        assert torch.equal(simulated, model)
        assert simulated_count == count


def by_hand(broken: int | None) -> torch.Tensor:
    """BMUF of both workers' one-step blocks, computed in this process."""
    model = network()
    theta = flat.parameters(model)
    delta = torch.zeros_like(theta)
    velocities = [torch.zeros_like(theta), torch.zeros_like(theta)]
    for block in range(2):
        start = block_start(theta, delta, 0.5, "nesterov")
        ends, weights = [], []
        for rank in range(WORKERS):
            flat.unflatten_into(start, model.parameters())
            model.zero_grad()
            model(data(rank)).square().mean().backward()
            gradient = flat.flatten([p.grad for p in model.parameters() if p.grad is not None])
            velocities[rank] = 0.9 * velocities[rank] + gradient
            ends.append(start - 0.1 * velocities[rank])
            weights.append(0 if rank == broken and block == 1 else FRAMES[rank])
        shares = [weight / sum(weights) for weight in weights]
        average = sum(share * end for share, end in zip(shares, ends, strict=True))
        velocity = sum(share * v for share, v in zip(shares, velocities, strict=True))
        velocities = [velocity, velocity]
        zeta = block_rate(1.0, contributors(sum(weights), sum(weight**2 for weight in weights)), 0.5)
        theta, delta = bmuf_update(theta, delta, average - start, 0.5, zeta, "nesterov")
    return theta


@pytest.mark.parametrize(("what", "broken", "dropped"), [("bmuf", None, 0), ("nan", 1, 1)])
def test_bmuf_of_two_processes(folder: Path, what: str, broken: int | None, dropped: int) -> None:
    theta, count = result(folder, what)
    assert count == dropped
    torch.testing.assert_close(theta, by_hand(broken))


def test_worker_without_a_batch_joins_the_sums(folder: Path) -> None:
    theta, steps = result(folder, "empty hand")
    assert steps == 2
    assert torch.isfinite(theta).all()
    assert not torch.equal(theta, flat.parameters(network()))


def test_dense_of_two_processes_is_one_process_on_all_frames(folder: Path) -> None:
    together, steps = result(folder, "dense")
    assert steps == 3
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        optimiser.zero_grad()
        batch = torch.cat([data(0), data(1)]) if step < 2 else data(0)
        model(batch).square().mean().backward()
        optimiser.step()
    torch.testing.assert_close(together, flat.parameters(model))
