"""What verifying a run can find, each in one line: the file, what is wrong with it, and the fix."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.store import features
from ssl_asr.store.layout import STAGE_OF_STORE, kind_of_store
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class Finding:
    """`sentence` names the file at fault and the fix.

    `delete` is what a repair removes, in this order; `relabel` says that the labelling stage fixes the rest.
    `shard` and the kind of `store` ("features") are where it was found, None and "" for a file that is no shard.
    """

    sentence: str
    shard: Shard | None = None
    store: str = ""
    delete: tuple[str, ...] = ()
    relabel: bool = False


@dataclass(frozen=True)
class Findings:
    """Words for what is found in `run`; `target_store` names the targets that its recipe asks for today, if any.

    No other store is ever repaired: what is deleted must be made again by the same command.
    """

    run: str
    target_store: str | None

    def damaged(self, store: ShardStore, shard: Shard, problem: str) -> Finding:
        """An entry and a file that don't belong together or aren't whole; the entry goes first, as it vouches."""
        return self._shard(store, shard, problem, store.ledger_uri(shard), store.uri(shard))

    def orphan(self, store: ShardStore, shard: Shard) -> Finding:
        return self._shard(store, shard, "has no ledger entry", store.uri(shard))

    def lost(self, store: ShardStore, shard: Shard) -> Finding:
        entry = store.ledger_uri(shard)
        return self._shard(store, shard, f"is missing, though {entry} speaks of it", entry)

    def outdated(self, store: ShardStore, shard: Shard, problem: str) -> Finding:
        """Whole, but made from what has been replaced since: its stage sees that by itself."""
        return self._shard(store, shard, problem)

    def unlabelled(self, store: ShardStore, shard: Shard) -> Finding:
        return self._shard(store, shard, "is missing with its ledger entry, though labelling has finished")

    def unread(self, store: ShardStore, shard: Shard, error: Exception) -> Finding:
        """It says nothing about what the file holds, so nothing is deleted for it."""
        said = f"{store.uri(shard)} could not be read ({' '.join(str(error).split())})"
        return Finding(f"{said}; check disk, rights and network", shard, kind_of_store(store.name))

    def unheard(self, store: ShardStore, shard: Shard) -> Finding:
        """Good again once its features are back, so the fault is theirs."""
        sentence = f"{store.uri(shard)} has no features beside it; run `ssl-asr frontend {self.run}` again"
        return Finding(sentence, shard, features.STORE)

    def unexpected(self, uri: str) -> Finding:
        return Finding(f"{uri} is no shard of its store; delete it or move it elsewhere")

    def leftover(self, uri: str) -> Finding:
        return Finding(f"{uri} is what a killed writer left; `{self._repair()}` deletes it", delete=(uri,))

    def _shard(self, store: ShardStore, shard: Shard, problem: str, *delete: str) -> Finding:
        uri, kind = store.uri(shard), kind_of_store(store.name)
        if store.name == self.target_store:
            sentence = f"{uri} {problem}; `{self._repair()}` labels it anew"
            return Finding(sentence, shard, kind, delete, relabel=True)
        stage = STAGE_OF_STORE[kind]
        first = f"delete {' and '.join(delete)}, then " if delete else ""
        whose = " with the teacher and recipe of these targets" if stage == "labelling" else ""
        return Finding(f"{uri} {problem}; {first}run `ssl-asr {stage} {self.run}` again{whose}", shard, kind)

    def _repair(self) -> str:
        return f"ssl-asr verify {self.run} --repair"
