"""The findings of verifying a run, each in one line: the file, the problem and the fix."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ssl_asr.store.layout import (
    FEATURES,
    MANIFEST,
    PSEUDO_LABELS,
    STAGE_OF_STORE,
    TARGETS,
    kind_of_store,
    stage_of_store,
)
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class Finding:
    """`sentence` names the file at fault and the fix.

    `delete` is what a repair removes, in this order; `remade` says that the stage of this store makes the
    shard anew in a repair. `shard` and the name of the `store` ("features") say what is at fault; they are None and
    "" for a file that is no shard.
    """

    sentence: str
    shard: Shard | None = None
    store: str = ""
    delete: tuple[str, ...] = ()
    remade: bool = False


@dataclass(frozen=True)
class FindingFormatter:
    """Formats findings for the user.

    `remade` names the stores of `run` whose shards a repair makes anew. In other stores nothing is ever deleted: what
    is deleted must be made again by the same command.
    """

    run: str
    remade: Collection[str]

    def damaged(self, store: ShardStore, shard: Shard, problem: str) -> Finding:
        """An entry and a file that don't match or aren't whole; the entry goes first, as it marks the shard done."""
        return self._shard(store, shard, problem, store.ledger_uri(shard), store.uri(shard))

    def orphan(self, store: ShardStore, shard: Shard) -> Finding:
        return self._shard(store, shard, "has no ledger entry", store.uri(shard))

    def lost(self, store: ShardStore, shard: Shard) -> Finding:
        entry = store.ledger_uri(shard)
        return self._shard(store, shard, f"is missing, but {entry} lists it", entry)

    def outdated(self, store: ShardStore, shard: Shard, problem: str) -> Finding:
        """A whole shard whose inputs were replaced since; its stage finds that out by itself."""
        return self._shard(store, shard, problem)

    def unmade(self, store: ShardStore, shard: Shard) -> Finding:
        stage = stage_of_store(store.name)
        return self._shard(store, shard, f"is missing with its ledger entry, though {stage} has finished")

    def unread(self, store: ShardStore, shard: Shard, error: Exception) -> Finding:
        """A file that could not be read; this says nothing about its content, so nothing is deleted."""
        said = f"{store.uri(shard)} could not be read ({' '.join(str(error).split())})"
        return Finding(f"{said}; check disk, rights and network", shard, store.name)

    def without_source(self, store: ShardStore, shard: Shard) -> Finding:
        """Good again once the shard that it was made from is back. So that one is at fault."""
        source = MANIFEST if kind_of_store(store.name) == FEATURES else FEATURES
        problem = f"{store.uri(shard)} has no {source} beside it"
        if source in self.remade:
            return Finding(f"{problem}; `{self._repair()}` makes them anew", shard, source, remade=True)
        return Finding(f"{problem}; run `ssl-asr {STAGE_OF_STORE[source]} {self.run}` again", shard, source)

    def unexpected(self, uri: str) -> Finding:
        return Finding(f"{uri} does not belong to its store; delete it or move it elsewhere")

    def leftover(self, uri: str) -> Finding:
        return Finding(f"{uri} was left by a killed writer; `{self._repair()}` deletes it", delete=(uri,))

    def _shard(self, store: ShardStore, shard: Shard, problem: str, *delete: str) -> Finding:
        uri = store.uri(shard)
        if store.name in self.remade:
            return Finding(
                f"{uri} {problem}; `{self._repair()}` makes it anew", shard, store.name, delete, remade=True
            )
        stage = stage_of_store(store.name)
        first = f"delete {' and '.join(delete)}, then " if delete else ""
        made = {TARGETS: "targets", PSEUDO_LABELS: "pseudo-labels"}.get(kind_of_store(store.name))
        whose = f" with the teacher and recipe of these {made}" if made else ""
        return Finding(f"{uri} {problem}; {first}run `ssl-asr {stage} {self.run}` again{whose}", shard, store.name)

    def _repair(self) -> str:
        return f"ssl-asr verify {self.run} --repair"
