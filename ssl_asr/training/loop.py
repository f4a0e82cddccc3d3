"""The training loop: block after block of slabs, a strategy that synchronises the workers, and a cursor.

It does not depend on Ray, and runs in the same way with one worker in a test and with many workers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from ssl_asr.models.normalised import FrameNetwork
from ssl_asr.recipe import Sync
from ssl_asr.store.reading_ahead import read_ahead
from ssl_asr.store.utterance import CLEAN, CONVERSATION
from ssl_asr.training.block import BlockRecord, BlockWork
from ssl_asr.training.companion import Companion, learned_by
from ssl_asr.training.course import Course
from ssl_asr.training.data.batches import Batch, collated
from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.sources import Source, seed_of
from ssl_asr.training.meter import Means, Meter
from ssl_asr.training.objectives.objective import Objective, figures_of, score
from ssl_asr.training.schedule import Cursor, Phase, assign, next_block, progress
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.strategy import Strategy, Synced


class Loop:
    """Walks the course from `cursor`; every attribute but the strategy's state is made anew at a restart.

    `optimiser` and `strategy` are of what is `learned_by` the network and its companion, if any.
    """

    def __init__(
        self,
        model: FrameNetwork,
        optimiser: torch.optim.Optimizer,
        strategy: Strategy,
        course: Course,
        worker: Worker,
        *,
        sync: Sync,
        clip_norm: float,
        companion: Companion | None = None,
    ) -> None:
        self.companion, self.learned = companion, learned_by(model, companion)
        self.model, self.optimiser, self.strategy = model, optimiser, strategy
        self.course, self.worker, self.sync, self.clip_norm = course, worker, sync, clip_norm
        self.cursor = Cursor()
        self.block = 0
        self.bad_blocks = 0  # in a row, up to now

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
        self._tell_progress(work, phase)
        # The seed comes from the place in the schedule, so a resumed block has the same shuffle and dropout.
        seed = seed_of(self.course.seed, work.phase, work.block.start, self.worker.rank)
        torch.manual_seed(seed)
        means, synced = self._steps(work.examples, phase, seed)
        if self.companion is not None:
            self.companion.end_block(self.worker.group)
        self._check_finite(synced)
        self.block += 1
        return BlockRecord(
            block=self.block,
            phase=work.phase,
            source=phase.source,
            loss=means.loss,
            figures=means.figures,
            learning_rate=phase.learning_rate,
            slabs=len(work.block),
            frames=synced.frames,
            seconds=round(time.monotonic() - began, 3),
            workers=self.worker.size,
            whole=phase.whole,
            dropped=synced.dropped,
            meters=synced.meters,
        )

    def _tell_progress(self, work: BlockWork, phase: Phase) -> None:
        reached = 1.0 if self.course.begins_trained else progress(self.course.schedule, work.next_cursor)
        self.model.frame_encoder.set_progress(reached)
        if self.companion is None:
            return
        self.companion.set_progress(reached)
        if work.block.start == phase.first:
            with self._global_model():
                self.companion.begin_phase(self.model, self.worker.group)

    def _steps(self, examples: Sequence[Example], phase: Phase, seed: int) -> tuple[Means, Synced]:
        """All updates of a block, and what its end tells."""
        objective = self.course.objectives[phase.objective]
        pieces = self.course.batches(examples, phase.whole, np.random.default_rng(seed))
        steps = self.strategy.on_block_start([objective.weight(batch) for batch in pieces])
        batches = collated(pieces, self.model.frame_encoder.look_ahead)
        meter = Meter(figures_of(objective, self.model), self.worker.device)
        self.learned.train()
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
        # A sum of n gradients is clipped at n times the norm, as their mean would be. A companion's are not: the
        # network's step must not depend on it.
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), summed * self.clip_norm)
        self.optimiser.step()

    def _check_finite(self, synced: Synced) -> None:
        self.bad_blocks = self.bad_blocks + 1 if synced.dropped else 0
        if self.bad_blocks >= self.sync.max_bad_blocks:
            raise ValueError(
                f"in {self.bad_blocks} blocks in a row, up to block {self.block + 1}, contributions of workers were "
                f"not finite (NaN or Inf); lower optimiser.learning_rate or optimiser.clip_norm"
            )

    @torch.no_grad()
    def evaluate(self, source: Source, objective: Objective) -> Means:
        """Loss and figures of the global model on a source's clean speech or conversations, divided among workers.

        Degraded copies are left out: those of dev are there to tune decoding, and may come and go between two runs
        whose curves are compared.
        """
        meter = Meter(figures_of(objective, self.model), self.worker.device)
        with self._global_model():
            for place in range(self.worker.rank, len(source), self.worker.size):
                read = self.course.reader.read(source.name, source.slab(place), 0)
                examples = [example for example in read if example.condition in (CLEAN, CONVERSATION)]
                pieces = self.course.batches(examples, True, np.random.default_rng(0))
                for batch in collated(pieces, self.model.frame_encoder.look_ahead):
                    meter.add(score(objective, self.model, batch.to(self.worker.device))[0])
        return meter.over_all(self.worker)

    @contextmanager
    def _global_model(self) -> Iterator[None]:
        """Inside, `learned` holds the global model, in evaluation."""
        mine = flat.parameters(self.learned)
        flat.unflatten_into(self.strategy.global_model(), self.learned.parameters())
        self.learned.eval()
        yield
        flat.unflatten_into(mine, self.learned.parameters())

    def shared_state(self) -> dict[str, torch.Tensor]:
        """What workers share beside the strategy's state: the companion's buffers, by name."""
        return {} if self.companion is None else self.companion.shared_state()

    def fingerprint(self) -> str:
        """Of the global model and the shared state: equal on all workers at a block's end, or they have diverged."""
        model, others = self.strategy.global_model(), self.shared_state().values()
        return flat.fingerprint(flat.flatten([model, *others]) if others else model)
