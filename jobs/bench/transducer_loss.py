"""Speed and memory of the transducer loss: `python -m jobs.bench.transducer_loss [--rounds N]`.

A made-up batch of 8 utterances with 150 frames, 20 labels and 256 outputs, on one core: milliseconds of processor
time for losses and gradients, and the most memory beyond inputs; each row in a process of its own. First from logits:
this product's loss, and plain autograd through Graves's recursion, by nodes (one of every utterance at a time) and by
anti-diagonals. Then from the inputs of a joiner of width 128 and 256: all logits and a loss of them, and the joint
loss, which makes no more logits than it needs: `trained` is its time after 15 updates, when alignments pass fewer
nodes, and `passed` the share of these, before and after. Then one JSON object as the last line. `ms` is the loss from
logits, `over_autograd` the faster of the two by autograd divided by it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from jobs.bench.memory import peak_megabytes
from jobs.bench.timing import milliseconds
from jobs.bench.transducer_peers import by_diagonals, log_probabilities, node_by_node
from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.joint_loss import joint_transducer_loss
from ssl_asr.transducer.loss import transducer_loss
from ssl_asr.transducer.loss_grid import forward_backward
from ssl_asr.transducer.targets import passed_nodes

UTTERANCES, FRAMES, LABELS, OUTPUTS = 8, 150, 20, 256
WIDTHS = (128, 256)  # of the joiner
INPUTS = 256  # numbers a frame and a text position, from encoder and predictor
UPDATES = 15


@dataclass(frozen=True)
class Batch:
    labels: torch.Tensor
    frames: torch.Tensor
    counts: torch.Tensor


@dataclass(frozen=True)
class Case:
    """A loss: of random logits, or of a joiner of this width."""

    name: str
    width: int | None = None


@dataclass(frozen=True)
class Row:
    """The untrained loss in nats, milliseconds of processor time for it and its gradient, and megabytes."""

    name: str
    width: int | None
    nats: float
    ms: float
    megabytes: float
    trained_ms: float | None = None
    passed: tuple[float, float] | None = None

    def __str__(self) -> str:
        trained = "" if self.trained_ms is None else f"{self.trained_ms:.1f}"
        passed = "" if self.passed is None else "{:.0%}, {:.0%}".format(*self.passed)
        about = f"{self.width or 'without':<9}{self.name:<30}{self.nats:>10.2f}"
        return f"{about}{self.megabytes:>8.0f}{self.ms:>8.1f}{trained:>10}{passed:>12}".rstrip()


LOSS, NODES, DIAGONALS, JOINT = "loss", "autograd, node by node", "autograd, by anti-diagonals", "joint loss"
CASES = [Case(name) for name in (LOSS, NODES, DIAGONALS)]
CASES += [Case(name, width) for width in WIDTHS for name in (LOSS, DIAGONALS, JOINT)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of which the fastest counts (default: 7)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"B {UTTERANCES}, T {FRAMES}, U {LABELS}, V {OUTPUTS}; loss and gradient on one core")
    print(f"{'joiner':<9}{'':<30}{'nats':>10}{'MB':>8}{'ms':>8}{'trained':>10}{'passed':>12}")
    rows = []
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as processes:
        for row in processes.imap(partial(measured, rounds=options.rounds), CASES):
            print(row, flush=True)
            rows.append(row)
    ours, *peers = (row.ms for row in rows if row.width is None)
    figures = {"ms": ours, "over_autograd": min(peers) / ours, "megabytes": rows[0].megabytes}
    print(json.dumps({**{name: round(value, 3) for name, value in figures.items()}, "rows": list(map(asdict, rows))}))


def measured(case: Case, rounds: int) -> Row:
    torch.empty(31 << 20, dtype=torch.uint8)  # once so much was freed, as in training, malloc keeps what is freed
    torch.manual_seed(0)
    sizes = torch.full((UTTERANCES,), FRAMES), torch.full((UTTERANCES,), LABELS)
    batch = Batch(torch.randint(1, OUTPUTS, (UTTERANCES, LABELS)), *sizes)
    once, train = of_logits(case.name, batch) if case.width is None else of_joiner(case.name, case.width, batch)
    megabytes = extra_megabytes(once)
    nats, ms = once(), milliseconds(once, rounds)
    if train is None:
        return Row(case.name, case.width, nats, ms, megabytes)
    passed = train()
    return Row(case.name, case.width, nats, ms, megabytes, milliseconds(once, rounds), passed)


# A loss, with its gradient; and training, which gives the shares of nodes that alignments pass before and after it.
Works = tuple[Callable[[], float], Callable[[], tuple[float, float]] | None]


def of_logits(name: str, batch: Batch) -> Works:
    logits = torch.randn(UTTERANCES, FRAMES, LABELS + 1, OUTPUTS).requires_grad_()

    def once() -> float:
        loss = loss_of(name, logits, batch)
        torch.autograd.grad(loss, logits)
        return loss.item()

    return once, None


def loss_of(name: str, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    if name == LOSS:
        return transducer_loss(logits, batch.labels, batch.frames, batch.counts).sum()
    return (node_by_node if name == NODES else by_diagonals)(logits, batch.labels)


def of_joiner(name: str, width: int, batch: Batch) -> Works:
    encoded, predicted = inputs(batch)
    joiner = Joiner(INPUTS, INPUTS, width, OUTPUTS)
    leaves = [encoded, predicted, *joiner.parameters()]

    def joint() -> torch.Tensor:
        return joint_transducer_loss(joiner, encoded, predicted, batch.labels, batch.frames, batch.counts).sum()

    def once() -> float:
        loss = joint() if name == JOINT else loss_of(name, joiner(encoded, predicted), batch)
        torch.autograd.grad(loss, leaves)
        return loss.item()

    def train() -> tuple[float, float]:
        before = share_passed(joiner(encoded, predicted), batch)
        optimiser = torch.optim.Adam(joiner.parameters(), 3e-3)
        for _ in range(UPDATES):
            optimiser.zero_grad()
            (joint() / UTTERANCES).backward()
            optimiser.step()
        return before, share_passed(joiner(encoded, predicted), batch)

    return once, train if name == JOINT else None


def share_passed(logits: torch.Tensor, batch: Batch) -> float:
    blanks, following = log_probabilities(logits.detach(), batch.labels)
    padded = torch.nn.functional.pad(following, (0, 1))
    found = forward_backward(blanks, padded, batch.frames, batch.counts)
    return len(passed_nodes(found.blanks_btu.float(), found.labels_btu.float())) / blanks.numel()


def inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of an encoder that hears each label for four noisy frames, and of a predictor that knows the last."""
    vectors = torch.randn(OUTPUTS, INPUTS)
    said = vectors[batch.labels]
    encoded = 0.5 * torch.randn(UTTERANCES, FRAMES, INPUTS)
    times = torch.stack([torch.randperm(FRAMES // 5)[:LABELS].sort().values * 5 for _ in range(UTTERANCES)])
    for later in range(4):
        encoded[torch.arange(UTTERANCES)[:, None], times + later] += said
    predicted = torch.cat([torch.zeros(UTTERANCES, 1, INPUTS), said], 1)
    return encoded.requires_grad_(), predicted.requires_grad_()


def extra_megabytes(work: Callable[[], object]) -> float:
    """The most memory that the process has during `work`, which is its first, beyond what it has before."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    before = peak_megabytes()
    work()
    return peak_megabytes() - before


if __name__ == "__main__":
    main()
