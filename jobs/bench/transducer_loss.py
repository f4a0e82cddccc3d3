"""Speed and memory of the transducer loss: `python -m jobs.bench.transducer_loss [--rounds N]`.

A made-up batch of 8 utterances with 150 frames, 20 labels and 256 outputs, on one core: milliseconds of the processor
for losses and gradients, and the most memory beyond inputs. First from logits: this product's loss, and plain autograd
through Graves's recursion, in which the batch takes one node at a time, or one anti-diagonal. Then from the inputs of
a joiner of 128 and of 256, untrained and after 40 updates: all logits by autograd and then a loss, and the joint loss,
which makes no more of them than it needs. Then one JSON object as the last line. `ms` is the loss from logits,
`over_autograd` the faster of the two by autograd divided by it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from jobs.bench.memory import peak_megabytes
from ssl_asr.transducer.joiner import Joiner
from ssl_asr.transducer.joint_loss import joint_transducer_loss
from ssl_asr.transducer.loss import transducer_loss

UTTERANCES, FRAMES, LABELS, OUTPUTS = 8, 150, 20, 256
WIDTHS = (128, 256)  # of the joiner
INPUTS = 256  # numbers a frame and a text position, from encoder and predictor
UPDATES = 40
IMPOSSIBLE = -1e30  # autograd has no gradient for -inf


@dataclass(frozen=True)
class Row:
    work: str
    state: str
    ms: float
    megabytes: float


@dataclass(frozen=True)
class Batch:
    labels: torch.Tensor
    frames: torch.Tensor
    counts: torch.Tensor

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        return transducer_loss(logits, self.labels, self.frames, self.counts).sum()

    def joint_loss(self, joiner: Joiner, encoded: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        return joint_transducer_loss(joiner, encoded, predicted, self.labels, self.frames, self.counts).sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of which the fastest counts (default: 7)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batch = Batch(
        torch.randint(1, OUTPUTS, (UTTERANCES, LABELS)),
        torch.full((UTTERANCES,), FRAMES),
        torch.full((UTTERANCES,), LABELS),
    )
    print(f"B {UTTERANCES}, T {FRAMES}, U {LABELS}, V {OUTPUTS}; loss and gradient on one core")
    print(f"{'':<44}{'ms':>8}{'MB':>8}")
    rows = from_logits(batch, options.rounds)
    for width in WIDTHS:
        rows += from_joiner(batch, width, options.rounds)
    ours, *peers = (row.ms for row in rows[:3])
    figures = {"ms": ours, "over_autograd": min(peers) / ours, "megabytes": rows[0].megabytes}
    print(json.dumps({**{name: round(value, 3) for name, value in figures.items()}, "rows": list(map(asdict, rows))}))


def from_logits(batch: Batch, rounds: int) -> list[Row]:
    logits = torch.randn(UTTERANCES, FRAMES, LABELS + 1, OUTPUTS).requires_grad_()
    works: dict[str, Callable[[], torch.Tensor]] = {
        "loss": lambda: batch.loss(logits),
        "autograd, node by node": lambda: node_by_node(logits, batch.labels),
        "autograd, by anti-diagonals": lambda: by_diagonals(logits, batch.labels),
    }
    return [measured(name, "random logits", work, [logits], rounds) for name, work in works.items()]


def from_joiner(batch: Batch, width: int, rounds: int) -> list[Row]:
    encoded, predicted = inputs(batch)
    joiner = Joiner(INPUTS, INPUTS, width, OUTPUTS)
    leaves = [encoded, predicted, *joiner.parameters()]
    works: dict[str, Callable[[], torch.Tensor]] = {
        f"joiner of {width}, loss": lambda: batch.loss(joiner(encoded, predicted)),
        f"joiner of {width}, autograd by diagonals": lambda: by_diagonals(joiner(encoded, predicted), batch.labels),
        f"joint loss of {width}": lambda: batch.joint_loss(joiner, encoded, predicted),
    }
    optimiser = torch.optim.Adam(joiner.parameters(), 3e-3)
    rows = [measured(name, "untrained", work, leaves, rounds) for name, work in works.items()]
    for _ in range(UPDATES):
        optimiser.zero_grad()
        (batch.joint_loss(joiner, encoded, predicted) / UTTERANCES).backward()
        optimiser.step()
    return rows + [measured(name, "trained", work, leaves, rounds) for name, work in works.items()]


def inputs(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs of an encoder that hears each label for four noisy frames, and of a predictor that knows the last one."""
    vectors = torch.randn(OUTPUTS, INPUTS)
    said = vectors[batch.labels]
    encoded = 0.5 * torch.randn(UTTERANCES, FRAMES, INPUTS)
    times = torch.stack([torch.randperm(FRAMES // 5)[:LABELS].sort().values * 5 for _ in range(UTTERANCES)])
    for later in range(4):
        encoded[torch.arange(UTTERANCES)[:, None], times + later] += said
    predicted = torch.cat([torch.zeros(UTTERANCES, 1, INPUTS), said], 1)
    return encoded.requires_grad_(), predicted.requires_grad_()


def node_by_node(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Losses summed over the batch, all of whose utterances are equally long."""
    blanks, following = (each.unbind(1) for each in log_probabilities(logits, labels))
    alphas: list[torch.Tensor] = []
    for t in range(FRAMES):
        row = [alphas[0] + blanks[t - 1][:, 0]] if t else [logits.new_zeros(UTTERANCES)]
        for u in range(1, LABELS + 1):
            by_label = row[u - 1] + following[t][:, u - 1]
            row.append(torch.logaddexp(alphas[u] + blanks[t - 1][:, u], by_label) if t else by_label)
        alphas = row
    return -(alphas[-1] + blanks[-1][:, -1]).sum()


def by_diagonals(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The same, with all nodes of an anti-diagonal at once."""
    blanks, following = log_probabilities(logits, labels)
    positions = torch.arange(LABELS + 1)
    times = (torch.arange(FRAMES + LABELS - 1)[:, None] - positions).clamp(0, FRAMES - 1)
    stay = blanks[:, times, positions].unbind(1)
    move = following[:, times[:, :-1], positions[:-1]].unbind(1)
    start = logits.new_full((UTTERANCES, LABELS + 1), IMPOSSIBLE)
    start[:, 0] = 0.0
    never = start[:, 1:2]
    alphas = start
    for blank, label in zip(stay, move, strict=True):
        alphas = torch.logaddexp(alphas + blank, torch.cat([never, alphas[:, :-1] + label], 1))
    return -(alphas[:, -1] + blanks[:, -1, -1]).sum()


def log_probabilities(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of blank [B, T, U + 1] and of the next label [B, T, U]."""
    logs = logits.log_softmax(3)
    index = labels[:, None, :, None].expand(-1, FRAMES, -1, 1)
    return logs[..., 0], logs[:, :, :-1].gather(3, index)[..., 0]


def measured(
    work: str, state: str, loss: Callable[[], torch.Tensor], leaves: Sequence[torch.Tensor], rounds: int
) -> Row:
    def once() -> None:
        torch.autograd.grad(loss(), leaves)

    once()
    megabytes = extra_megabytes(once)
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        once()
        spent.append(time.process_time() - began)
    row = Row(work, state, 1000 * min(spent), megabytes)
    print(f"{work + ', ' + state:<44}{row.ms:>8.1f}{row.megabytes:>8.0f}", flush=True)
    return row


def extra_megabytes(work: Callable[[], None]) -> float:
    """The most memory that the process has during `work`, beyond what it has before."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    before = peak_megabytes()
    work()
    return peak_megabytes() - before


if __name__ == "__main__":
    main()
