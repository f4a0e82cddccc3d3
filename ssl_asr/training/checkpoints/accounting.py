"""Slab accounting: which slabs every worker trained on, block by block, so that `ssl-asr verify` can audit it.

The schedule of a training run is in `training/<name>/schedule-<key>.json`. Every block has one small file in
`training/<name>/slabs/<key>/`. A restart deletes the accounts of blocks after its checkpoint, because these blocks
are trained again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from ssl_asr.models.systems import is_adapted, stage_of
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.todo import TRANSDUCERS
from ssl_asr.store import filesystem
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.speakers_layout import extractor_of_training, extractor_uri
from ssl_asr.store.training_layout import (
    account_uri,
    accounts_uri,
    all_accounts_folder,
    key_of_schedule,
    model_uri,
    schedule_uri,
    training_folder,
)
from ssl_asr.training.data.sources import SourceName
from ssl_asr.training.schedule import Phase

Count = Annotated[int, Field(ge=0, lt=2**48)]
# Number of accounts in memory at a time.
BATCH = 1024
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Assignment:
    """What one worker trained on in one block: `slabs` (as `SlabRef.name`) are those at `positions` of the stream.

    `frames` counts the 30 ms frames that it trained on. A worker's assignment may be empty.
    """

    rank: Count
    positions: tuple[Count, ...]
    slabs: tuple[str, ...]
    frames: Count


@dataclass(frozen=True)
class BlockAccount:
    """One block, numbered from 1: positions `first` to `first + count` of the source's stream, over all workers.

    `dropped` counts contributions that were not finite and did not reach the model: a worker's block if models are
    averaged, a worker's step if gradients are.
    """

    block: Count
    phase: Count
    source: SourceName
    first: Count
    count: Count
    assignments: tuple[Assignment, ...]
    dropped: Count = 0


@dataclass(frozen=True)
class StoredSchedule:
    """What the training run with this `key` must train on; `sizes` are the numbers of slabs of each source."""

    name: str
    key: str
    sizes: Mapping[SourceName, Count]
    phases: tuple[Phase, ...]

    @property
    def slabs(self) -> int:
        return sum(phase.count for phase in self.phases)


_ACCOUNT, _SCHEDULE = TypeAdapter(BlockAccount), TypeAdapter(StoredSchedule)


def write_schedule(
    run: str, name: str, key: str, schedule: Sequence[Phase], source_sizes: Mapping[SourceName, int]
) -> None:
    """Store the schedule before its first block; ValueError if another schedule with this key has trained blocks."""
    uri, expected = schedule_uri(run, name, key), StoredSchedule(name, key, dict(source_sizes), tuple(schedule))
    if filesystem.exists(uri) and filesystem.list_files(accounts_uri(run, name, key), ".json"):
        if read_schedule(run, name, key) == expected:
            return
        raise ValueError(f"{uri} does not match the current schedule; delete {training_folder(run, name)}")
    filesystem.write_bytes(uri, _SCHEDULE.dump_json(expected, indent=1))


def read_schedule(run: str, name: str, key: str) -> StoredSchedule:
    """ValueError naming the file if it is missing or damaged."""
    uri = schedule_uri(run, name, key)
    kept = _read(_SCHEDULE, "schedule", run, name, uri)
    if (kept.name, kept.key) != (name, key) or not all(_is_sound(phase, kept.sizes) for phase in kept.phases):
        raise ValueError(f"{uri} is not a whole schedule (it contradicts itself or its name); {fix_hint(run, name)}")
    return kept


def _is_sound(phase: Phase, sizes: Mapping[SourceName, int]) -> bool:
    return (
        phase.first >= 0 and phase.count > 0 and phase.first + phase.count < 2**48 and sizes.get(phase.source, 0) > 0
    )


def write_account(run: str, name: str, key: str, account: BlockAccount) -> None:
    """Store the account of a block before the block's checkpoint; one worker does it for all."""
    filesystem.write_bytes(account_uri(run, name, key, account.block), _ACCOUNT.dump_json(account))


def read_accounts(run: str, name: str, key: str) -> Iterator[BlockAccount]:
    """Accounts of all blocks, by number, read in parallel; ValueError naming a damaged one."""
    uris = filesystem.list_files(accounts_uri(run, name, key), ".json")
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for begin in range(0, len(uris), BATCH):
            yield from pool.map(partial(_read_account, run, name), uris[begin : begin + BATCH])


def drop_after(run: str, name: str, key: str, block: int) -> None:
    """Delete the accounts of blocks after `block`; called at a start from its checkpoint (0: from none)."""
    for uri in filesystem.list_files(accounts_uri(run, name, key), ".json"):
        if uri > account_uri(run, name, key, block):
            filesystem.delete(uri)


def accounted_keys(run: str, name: str) -> list[str]:
    """Sorted keys of the training runs of this model that have a schedule or accounts."""
    uris = filesystem.list_files(training_folder(run, name), ".json")
    kept = {key for uri in uris if (key := key_of_schedule(run, name, uri)) is not None}
    return sorted(kept | set(filesystem.list_folders(all_accounts_folder(run, name))))


def fix_hint(run: str, name: str) -> str:
    """The fix for wrong accounts: train again, because nothing else shows what the model was trained on."""
    model, training = model_uri(run, name), training_folder(run, name)
    if (extractor := extractor_of_training(name)) is not None:
        model = extractor_uri(run, extractor)
        return f"delete {model} and {training}, then give the `ssl-asr speakers` command that made it again"
    if is_adapted(name):
        return f"delete {model} and {training}, then give the `ssl-asr adapt` command that made it again"
    stage = stage_of(name)
    stage = stage if stage in NAMES else TRANSDUCERS  # whose names are the user's
    return f"delete {model} and {training}, then run `ssl-asr {stage} {run}` again"


def _read_account(run: str, name: str, uri: str) -> BlockAccount:
    account = _read(_ACCOUNT, "account of a block", run, name, uri)
    named = uri.rpartition("/")[2] == account_uri(run, name, "", account.block).rpartition("/")[2]
    if not named or any(len(assignment.positions) != len(assignment.slabs) for assignment in account.assignments):
        what = "a position without a slab" if named else f"that of block {account.block}"
        raise ValueError(f"{uri} is not a whole account of a block ({what}); {fix_hint(run, name)}")
    return account


def _read(kind: TypeAdapter[Kept], what: str, run: str, name: str, uri: str) -> Kept:
    try:
        return kind.validate_json(filesystem.read_bytes(uri))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise ValueError(f"{uri} is not a whole {what} ({message}); {fix_hint(run, name)}") from error
