"""The training loop: block after block of slabs, a strategy that keeps the workers together, and a cursor.

It knows nothing of Ray and runs alike with one worker in a test and with many.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.recipe import Optimiser, Sync
from ssl_asr.training.data.batches import Batch, batches_of, collated
from ssl_asr.training.data.examples import Example, SlabReader
from ssl_asr.training.data.masking import mask
from ssl_asr.training.data.prefetch import read_ahead
from ssl_asr.training.data.sources import SlabRef, Source, SourceName, seed_of
from ssl_asr.training.meter import Meter
from ssl_asr.training.objectives.cross_entropy import hard_cross_entropy, soft_cross_entropy
from ssl_asr.training.schedule import Cursor, Phase, assign, next_block
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.sync.strategy import Strategy, Synced


@dataclass(frozen=True)
class BlockWork:
    """What one worker trains on in one block: positions in the stream of the phase's source, and what lies there.

    The block as a whole is `block`, a range of positions; the cursor behind it is `behind`.
    """

    phase: int
    block: range
    positions: range
    slabs: list[SlabRef]
    examples: list[Example]
    behind: Cursor


@dataclass(frozen=True)
class BlockRecord:
    """One block as the learning curve keeps it; loss in nats a frame, accuracy a share, over all workers."""

    block: int
    phase: int
    source: SourceName
    loss: float
    frame_accuracy: float
    learning_rate: float
    frames: int
    seconds: float
    workers: int
    whole: bool
    dropped: int
    meters: Mapping[str, float]


class Loop:
    """Walks `schedule` from `cursor`; every attribute but the strategy's state is made anew at a restart."""

    def __init__(
        self,
        model: AcousticModel,
        optimiser: torch.optim.Optimizer,
        strategy: Strategy,
        schedule: Sequence[Phase],
        sources: dict[str, Source],
        reader: SlabReader,
        settings: Optimiser,
        sync: Sync,
        seed: int,
        worker: Worker,
    ) -> None:
        self.model, self.optimiser, self.strategy = model, optimiser, strategy
        self.schedule, self.sources, self.reader = schedule, sources, reader
        self.settings, self.sync, self.seed, self.worker = settings, sync, seed, worker
        self.cursor = Cursor()
        self.block = 0
        self._bad_blocks = 0

    def run(self, on_block: Callable[[BlockRecord, BlockWork], None]) -> None:
        """Train to the end of the schedule; `on_block` is told of every block and this worker's part in it."""
        for dealt in read_ahead(self._deals()):
            record = self._train_block(dealt)
            self.cursor = dealt.behind
            on_block(record, dealt)

    def _deals(self) -> Iterator[Callable[[], BlockWork]]:
        """This worker's share of every block from the cursor on, to be read when it is called."""
        cursor = self.cursor
        while cursor.phase < len(self.schedule):
            positions, behind = next_block(self.schedule, cursor, self.worker.size * self.sync.block_slabs)
            yield partial(self._read, cursor.phase, positions, behind)
            cursor = behind

    def _read(self, phase_index: int, positions: range, behind: Cursor) -> BlockWork:
        phase = self.schedule[phase_index]
        mine = assign(positions, self.worker.size)[self.worker.rank]
        refs = [self.sources[phase.source].at(place) for place in mine]
        examples = [example for ref in refs for example in self.reader.read(phase.source, ref, phase.offset)]
        return BlockWork(phase_index, positions, mine, refs, examples, behind)

    def _train_block(self, dealt: BlockWork) -> BlockRecord:
        began = time.monotonic()
        phase = self.schedule[dealt.phase]
        for group in self.optimiser.param_groups:
            group["lr"] = phase.learning_rate
        # Seeds come from the place in the schedule, so a resumed block shuffles and drops out as the lost one did.
        seed = seed_of(self.seed, dealt.phase, dealt.block.start, self.worker.rank)
        torch.manual_seed(seed)
        look_ahead = self.model.spec.look_ahead
        pieces = batches_of(dealt.examples, phase.whole, self.settings, look_ahead, np.random.default_rng(seed))
        steps = self.strategy.on_block_start([sum(piece.targets for piece in batch) for batch in pieces])
        batches = collated(pieces, look_ahead)
        meter = self._meter()
        self.model.train()
        for _ in range(steps):
            self._step(next(batches, None), meter)
        synced = self.strategy.on_block_end(meter.frames)
        self._check_finite(synced)
        loss, accuracy = meter.over_all(self.worker)
        self.block += 1
        return BlockRecord(
            block=self.block,
            phase=dealt.phase,
            source=phase.source,
            loss=loss,
            frame_accuracy=accuracy,
            learning_rate=phase.learning_rate,
            frames=synced.frames,
            seconds=round(time.monotonic() - began, 3),
            workers=self.worker.size,
            whole=phase.whole,
            dropped=synced.dropped,
            meters=synced.meters,
        )

    def _step(self, batch: Batch | None, meter: Meter) -> None:
        """One update; without a batch this worker only joins the others'."""
        self.optimiser.zero_grad()
        frames = 0
        if batch is not None:
            batch = batch.to(self.worker.device)
            frames = len(batch.senones)
            loss, hits = self._loss(batch)
            loss.backward()
            meter.add(loss, hits, frames)
        summed = self.strategy.on_after_backward()
        # A sum is clipped where the mean would be.
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), summed * self.settings.clip_norm)
        self.optimiser.step()

    def _meter(self) -> Meter:
        return Meter(torch.zeros(2, dtype=torch.float64, device=self.worker.device))

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss of the batch's frames, and at how many the likeliest senone is the label or the first target."""
        inputs = self.model.normalise(batch.frames)
        if self.model.training:
            inputs = mask(inputs, self.settings)
        # Padding is set to the mean, not packed away: batches are of like length, and packing halves the speed.
        inside_bt = torch.arange(inputs.shape[1])[None, :] < batch.lengths[:, None]
        logits = _logits(self.model, inputs * inside_bt[:, :, None].to(inputs.device), batch.valid)
        hits = (logits.detach().argmax(1) == batch.senones[:, 0]).sum()
        if batch.posteriors is None:
            return hard_cross_entropy(logits, batch.senones[:, 0]), hits
        return soft_cross_entropy(logits, batch.senones, batch.posteriors), hits

    def _check_finite(self, synced: Synced) -> None:
        self._bad_blocks = self._bad_blocks + 1 if synced.dropped else 0
        if self._bad_blocks >= self.sync.max_bad_blocks:
            raise ValueError(
                f"in {self._bad_blocks} blocks in a row, the last of them block {self.block + 1}, what workers "
                "contributed was not finite (NaN or Inf); lower optimiser.learning_rate or optimiser.clip_norm"
            )

    @torch.no_grad()
    def evaluate(self, source: Source) -> tuple[float, float]:
        """Loss and frame accuracy of the global model on all of a labeled source, dealt over the workers."""
        mine = flat.parameters(self.model)
        flat.unflatten_into(self.strategy.global_model(), self.model.parameters())
        self.model.eval()
        meter = self._meter()
        look_ahead = self.model.spec.look_ahead
        for place in range(self.worker.rank, len(source), self.worker.size):
            examples = self.reader.read("labeled", source.slab(place), 0)
            pieces = batches_of(examples, True, self.settings, look_ahead, np.random.default_rng(0))
            for batch in collated(pieces, look_ahead):
                batch = batch.to(self.worker.device)
                loss, hits = self._loss(batch)
                meter.add(loss, hits, len(batch.senones))
        flat.unflatten_into(mine, self.model.parameters())
        return meter.over_all(self.worker)


def _logits(model: AcousticModel, inputs_btd: torch.Tensor, valid_bt: torch.Tensor) -> torch.Tensor:
    """The network's logits [n, senones] at valid outputs: others never reach the last layer, which is the widest."""
    hidden_btd, _ = model.lstm(inputs_btd)
    logits: torch.Tensor = model.senones(model.dropout(hidden_btd[valid_bt]))
    return logits
