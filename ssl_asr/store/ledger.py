"""The ledger: one small JSON file for every finished shard of every store.

An entry is written last, atomically. So a shard is done exactly when its entry exists and names the current parents
of the shard. Listing the ledger audits a run; nothing else records progress.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ssl_asr.store import filesystem


@dataclass(frozen=True, order=True, slots=True)  # a driver may hold half a million
class Shard:
    """Some hours of audio: the unit of labelling, of failure and of the ledger; same number in every store."""

    split: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.split}/{self.number:06d}"


@dataclass(frozen=True)
class Reject:
    """One utterance that a stage could not use, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class LedgerEntry:
    """The facts of one finished shard.

    `slabs` holds the frames of each Parquet row group, in this store's own frame rate; `seconds` is the audio's
    duration; `parents` maps what the shard was made from ("manifest", "frontend.low_hz", "version", ...) to checksums
    and values; `statistics` holds plain numbers or lists.
    """

    store: str
    shard: Shard
    rows: int
    frames: int
    seconds: float
    slabs: tuple[int, ...]
    checksum: str
    parents: Mapping[str, str]
    statistics: Mapping[str, Any] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> LedgerEntry:
        values = json.loads(data)
        values["shard"] = Shard(**values["shard"])
        values["slabs"] = tuple(values["slabs"])
        values["rejects"] = tuple(Reject(**reject) for reject in values["rejects"])
        return cls(**values)


def read_entry(uri: str) -> LedgerEntry:
    """ValueError naming the file if it is missing or damaged."""
    return entry_of(uri, filesystem.read_bytes(uri))


def entry_of(uri: str, data: bytes) -> LedgerEntry:
    """The entry in the file `uri`, which holds `data`; ValueError naming it if it is damaged."""
    try:
        return LedgerEntry.from_json(data)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{uri} is not a whole ledger entry ({error}); delete it and run the stage again") from error


def parents_digest(parents: Mapping[str, str]) -> int:
    """64 bits that two mappings share only if they are equal; the order of their items does not matter."""
    text = json.dumps(sorted(parents.items()))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def checksum(data: bytes) -> str:
    """Content hash of a file: the first 16 hex digits of its SHA-256."""
    return checksum_of([data])


def checksum_of(pieces: Iterable[bytes]) -> str:
    """The same of a file in pieces."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()[:16]
