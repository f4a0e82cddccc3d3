"""The training loop: block after block of slabs, a strategy that synchronises the workers, and a cursor.

It does not depend on Ray, and runs in the same way with one worker in a test and with many workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.recipe import Batching, Sync
from ssl_asr.store.reading_ahead import read_ahead
from ssl_asr.store.utterance import CLEAN, CONVERSATION
from ssl_asr.training.data.batches import Batch, batches_of, collated
from ssl_asr.training.data.examples import Example, Reader
from ssl_asr.training.data.sources import SlabRef, Source, SourceName, seed_of
from ssl_asr.training.meter import Means, Meter
from ssl_asr.training.objectives.objective import Objective, figures_of, score
from ssl_asr.training.objectives.utterance_adversary import UtteranceAdversary
from ssl_asr.training.schedule import Cursor, Phase, assign, next_block, progress
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.strategy import Strategy, Synced


@dataclass(frozen=True)
class BlockWork:
    """One worker's part of one block: positions in the stream of the phase's source, and the slabs at them.

    The whole block is `block`, a range of positions; the cursor after it is `next_cursor`.
    """

    phase: int
    block: range
    positions: range
    slabs: list[SlabRef]
    examples: list[Example]
    next_cursor: Cursor


@dataclass(frozen=True)
class BlockRecord:
    """One block as the learning curve keeps it, over all workers.

    `loss` and `figures` are means per unit of the objective's weight, such as nats a frame and shares. The loss is
    the objective's alone, so that networks and times can be compared; what an encoder adds has figures of its own.
    """

    block: int
    phase: int
    source: SourceName
    loss: float
    figures: Mapping[str, float]
    learning_rate: float
    frames: int
    seconds: float
    workers: int
    whole: bool
    dropped: int
    meters: Mapping[str, float]


@dataclass(frozen=True)
class Course:
    """What a loop goes through: phases, the sources and objectives that they name, and how batches are made.

    `begins_trained` says that it goes on with a model whose own training has ended: what a network changes on the way
    stays as it was at the end of that.
    """

    schedule: Sequence[Phase]
    sources: Mapping[str, Source]
    objectives: Mapping[str, Objective]
    reader: Reader
    batching: Batching
    seed: int
    begins_trained: bool = False


def learned_by(model: NormalisedEncoder, adversary: UtteranceAdversary | None) -> nn.Module:
    """All that gradients move, the network first; strategies, optimisers and checkpoints know nothing else."""
    return model if adversary is None else nn.ModuleList([model, adversary])


class Loop:
    """Walks the course from `cursor`; every attribute but the strategy's state is made anew at a restart.

    `optimiser` and `strategy` are of what is `learned_by` the network and the adversary of its objective, if any.
    """

    def __init__(
        self,
        model: NormalisedEncoder,
        optimiser: torch.optim.Optimizer,
        strategy: Strategy,
        course: Course,
        worker: Worker,
        *,
        sync: Sync,
        clip_norm: float,
        adversary: UtteranceAdversary | None = None,
    ) -> None:
        self.adversary, self.learned = adversary, learned_by(model, adversary)
        self.model, self.optimiser, self.strategy = model, optimiser, strategy
        self.course, self.worker, self.sync, self.clip_norm = course, worker, sync, clip_norm
        self.cursor = Cursor()
        self.block = 0
        self._bad_blocks = 0

    def run(self, on_block: Callable[[BlockRecord, BlockWork], None]) -> None:
        """Train to the end of the schedule; calls `on_block` with every block and this worker's part of it."""
        for work in read_ahead(self._block_reads()):
            record = self._train_block(work)
            self.cursor = work.next_cursor
            on_block(record, work)

    def _block_reads(self) -> Iterator[Callable[[], BlockWork]]:
        """For every block from the cursor on, a function that reads this worker's share."""
        cursor, schedule = self.cursor, self.course.schedule
        while cursor.phase < len(schedule):
            positions, next_cursor = next_block(schedule, cursor, self.worker.size * self.sync.block_slabs)
            yield partial(self._read, cursor.phase, positions, next_cursor)
            cursor = next_cursor

    def _read(self, phase_index: int, positions: range, next_cursor: Cursor) -> BlockWork:
        phase = self.course.schedule[phase_index]
        mine = assign(positions, self.worker.size)[self.worker.rank]
        refs = [self.course.sources[phase.source].at(place) for place in mine]
        examples = [example for ref in refs for example in self.course.reader.read(phase.source, ref, phase.offset)]
        return BlockWork(phase_index, positions, mine, refs, examples, next_cursor)

    def _train_block(self, work: BlockWork) -> BlockRecord:
        began = time.monotonic()
        phase = self.course.schedule[work.phase]
        for group in self.optimiser.param_groups:
            group["lr"] = phase.learning_rate
        reached = 1.0 if self.course.begins_trained else progress(self.course.schedule, work.next_cursor)
        self.model.encoder.set_progress(reached)
        if self.adversary is not None:
            self.adversary.set_progress(reached)
        # The seed comes from the place in the schedule, so a resumed block has the same shuffle and dropout.
        seed = seed_of(self.course.seed, work.phase, work.block.start, self.worker.rank)
        torch.manual_seed(seed)
        means, synced = self._steps(work.examples, phase, seed)
        self._check_finite(synced)
        self.block += 1
        return BlockRecord(
            block=self.block,
            phase=work.phase,
            source=phase.source,
            loss=means.loss,
            figures=means.figures,
            learning_rate=phase.learning_rate,
            frames=synced.frames,
            seconds=round(time.monotonic() - began, 3),
            workers=self.worker.size,
            whole=phase.whole,
            dropped=synced.dropped,
            meters=synced.meters,
        )

    def _steps(self, examples: Sequence[Example], phase: Phase, seed: int) -> tuple[Means, Synced]:
        """All updates of a block, and what its end tells."""
        objective, look_ahead = self.course.objectives[phase.objective], self.model.encoder.look_ahead
        rng = np.random.default_rng(seed)
        pieces = batches_of(examples, phase.whole, self.course.batching, look_ahead, rng)
        steps = self.strategy.on_block_start([objective.weight(batch) for batch in pieces])
        batches = collated(pieces, look_ahead)
        meter = Meter(figures_of(objective, self.model), self.worker.device)
        self.model.train()
        for _ in range(steps):
            self._step(next(batches, None), objective, meter)
        synced = self.strategy.on_block_end(meter.weight, sum(piece.count for batch in pieces for piece in batch))
        return meter.over_all(self.worker), synced

    def _step(self, batch: Batch | None, objective: Objective, meter: Meter) -> None:
        """One update; without a batch this worker only joins the update of the others."""
        self.optimiser.zero_grad()
        if batch is not None:
            scored, own = score(objective, self.model, batch.to(self.worker.device))
            (scored.loss if own is None else scored.loss + own).backward()
            meter.add(scored)
        summed = self.strategy.on_after_backward()
        # A sum of n gradients is clipped at n times the norm, as their mean would be. An adversary's are not: its
        # weights are bounded, and the network's step must not depend on them.
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), summed * self.clip_norm)
        self.optimiser.step()

    def _check_finite(self, synced: Synced) -> None:
        self._bad_blocks = self._bad_blocks + 1 if synced.dropped else 0
        if self._bad_blocks >= self.sync.max_bad_blocks:
            raise ValueError(
                f"in {self._bad_blocks} blocks in a row, up to block {self.block + 1}, contributions of workers were "
                f"not finite (NaN or Inf); lower optimiser.learning_rate or optimiser.clip_norm"
            )

    @torch.no_grad()
    def evaluate(self, source: Source, objective: Objective) -> Means:
        """Loss and figures of the global model on a source's clean speech or conversations, divided among workers.

        Degraded copies are left out: those of dev are there to tune decoding, and may come and go between two runs
        whose curves are compared.
        """
        mine = flat.parameters(self.learned)
        flat.unflatten_into(self.strategy.global_model(), self.learned.parameters())
        self.model.eval()
        meter = Meter(figures_of(objective, self.model), self.worker.device)
        look_ahead = self.model.encoder.look_ahead
        for place in range(self.worker.rank, len(source), self.worker.size):
            read = self.course.reader.read(source.name, source.slab(place), 0)
            examples = [example for example in read if example.condition in (CLEAN, CONVERSATION)]
            pieces = batches_of(examples, True, self.course.batching, look_ahead, np.random.default_rng(0))
            for batch in collated(pieces, look_ahead):
                meter.add(score(objective, self.model, batch.to(self.worker.device))[0])
        flat.unflatten_into(mine, self.learned.parameters())
        return meter.over_all(self.worker)
