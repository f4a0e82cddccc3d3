"""One worker's training job: restore the newest checkpoint, train, account, write checkpoints, finish.

It does not depend on Ray: workers on a cluster (`worker.py`) and workers simulated in one process (`simulated.py`)
run the same code. A `Listener` handles their records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol

from ssl_asr.store.training_layout import checkpoints_folder
from ssl_asr.training.block import BlockRecord, BlockWork
from ssl_asr.training.checkpoints import accounting
from ssl_asr.training.checkpoints.accounting import BlockAccount
from ssl_asr.training.checkpoints.folder import Checkpoints, Saver
from ssl_asr.training.checkpoints.snapshot import restore, snapshot
from ssl_asr.training.curve import Record
from ssl_asr.training.loop import Loop
from ssl_asr.training.sync.group import Worker
from ssl_asr.training.trainable import Trainable


class Listener(Protocol):
    """Receives the news of rank 0."""

    def restart(self, curve: list[Record]) -> None:
        """Training starts or restarts after the blocks of `curve`."""
        ...

    def post(self, record: Record) -> None: ...


def checkpoints_of(job: Trainable) -> Checkpoints:
    return Checkpoints(checkpoints_folder(job.run, job.name, job.key))


def train(job: Trainable, worker: Worker, listener: Listener, preemption_noticed: Callable[[], bool]) -> Loop:
    """Train to the end and write what was trained; all workers call `preemption_noticed` at every block's end.

    It says whether a worker's machine will be taken away soon; then the block gets an extra checkpoint.
    """
    loop = job.build_loop(worker)
    checkpoints = checkpoints_of(job)
    mine = checkpoints.newest() if worker.rank == 0 else None
    newest = worker.group.gather_objects(mine)[0]
    curve = restore(newest, loop) if newest is not None else []
    if worker.rank == 0:
        checkpoints.delete_after(newest)
        accounting.drop_after(job.run, job.name, job.key, loop.block)
        listener.restart(curve)
    with Saver(checkpoints) as saver:
        recorder = _BlockRecorder(job, loop, listener, curve, saver, preemption_noticed)
        loop.run(recorder.on_block)
    job.finish(loop, curve)
    return loop


class _BlockRecorder:
    """Stores for every block its account and its record, and, when due, the result on dev and a checkpoint."""

    def __init__(
        self,
        job: Trainable,
        loop: Loop,
        listener: Listener,
        curve: list[Record],
        saver: Saver,
        preemption_noticed: Callable[[], bool],
    ) -> None:
        self.job, self.loop, self.listener, self.curve = job, loop, listener, curve
        self.saver, self.preemption_noticed = saver, preemption_noticed

    def on_block(self, record: BlockRecord, work: BlockWork) -> None:
        fingerprint = self.loop.fingerprint()
        self._account(record, work, fingerprint)
        self._post(curve_record(record))
        sub_epoch_ended = self.job.schedule[work.phase].ends_sub_epoch and work.next_cursor.slabs == 0
        if self.job.dev is not None and sub_epoch_ended:
            means = self.loop.evaluate(self.job.dev, self.loop.course.objectives[self.job.dev_objective])
            figures = {f"dev_{name}": value for name, value in means.figures.items()}
            self._post({"block": record.block, "dev_loss": means.loss, **figures})
        preemption_noticed = self.preemption_noticed()
        if preemption_noticed or sub_epoch_ended or record.block % self.job.sync.checkpoint_blocks == 0:
            self.saver.save(snapshot(self.loop, fingerprint, self.curve))
        if preemption_noticed:
            self.saver.wait()

    def _account(self, record: BlockRecord, work: BlockWork, fingerprint: str) -> None:
        """Writes the account before the checkpoint that contains the block; all workers must agree on the state."""
        mine = accounting.Assignment(
            self.loop.worker.rank,
            tuple(work.positions),
            tuple(ref.name for ref in work.slabs),
            sum(len(example.targets.senones) for example in work.examples),
        )
        place = (record.block, record.learning_rate, fingerprint)
        gathered = self.loop.worker.group.gather_objects((place, mine))
        assert all(other == place for other, _ in gathered), f"workers disagree on block, rate and model: {gathered}"
        if self.loop.worker.rank == 0:
            assignments = tuple(assignment for _, assignment in gathered)
            account = BlockAccount(
                record.block,
                record.phase,
                record.source,
                work.block.start,
                len(work.block),
                assignments,
                record.dropped,
            )
            job = self.job
            self.saver.write(lambda: accounting.write_account(job.run, job.name, job.key, account))

    def _post(self, record: Record) -> None:
        if self.loop.worker.rank == 0:
            self.curve.append(record)
            self.listener.post(record)


def curve_record(record: BlockRecord) -> Record:
    """As plain values, figures and meters by their names among them."""
    values = asdict(record)
    figures, meters = values.pop("figures"), values.pop("meters")
    assert not (figures.keys() | meters.keys()) & values.keys(), "a figure has the name of a value of every block"
    return {**values, **figures, **meters}
