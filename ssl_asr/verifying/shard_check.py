"""Checks one shard in all stores of a run: each file against its ledger entry, then against the features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from ssl_asr.labelling.integrity import check_beside, check_slab
from ssl_asr.sequence import lattice_shards
from ssl_asr.store import alignments, features, hypotheses, layout, targets, utterance
from ssl_asr.store.integrity import Checked, Damage, LookAtSlab, SlabRows, check_parents, check_same_rows, check_shard
from ssl_asr.store.inventory import StoreContents
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.verifying.findings import Finding, FindingFormatter

SCHEMAS: Mapping[str, Sequence[pa.Schema]] = {
    layout.MANIFEST: [utterance.SCHEMA],
    layout.FEATURES: list(features.SCHEMAS.values()),
    layout.ALIGNMENTS: [alignments.SCHEMA],
    layout.TARGETS: [targets.SCHEMA],
    layout.PSEUDO_LABELS: [hypotheses.SCHEMA],
    layout.LATTICES: [lattice_shards.SCHEMA],
}
# Of stores whose reader refuses all that is not whole.
_DECODERS: Mapping[str, Callable[[pa.Table], object]] = {
    layout.LATTICES: lattice_shards.decode,
    layout.PSEUDO_LABELS: hypotheses.decode,
}


@dataclass
class Verdict:
    """The findings, the numbers of `shards` that were checked and of their `files`, of all stores, and their `bytes`.

    `trained` has a line for every training run with a correct audit of its slabs; `unaudited` names the models
    without accounts. `not_read` counts the shards outside a sample.
    """

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    shards: int = 0
    not_read: int = 0
    trained: list[str] = field(default_factory=list)
    unaudited: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        self.findings += other.findings
        self.files += other.files
        self.bytes += other.bytes
        self.shards += other.shards
        self.trained += other.trained
        self.unaudited += other.unaudited


@dataclass(frozen=True)
class ShardCheck:
    """Checks shards by name, from any thread; `senones` is the number of outputs by teacher id."""

    stores: Sequence[StoreContents]
    senones: Mapping[str, int]
    formatter: FindingFormatter

    def __call__(self, shard: Shard) -> Verdict:
        verdict = Verdict(shards=1)
        beside: dict[str, Checked] = {}
        for held in self.stores:
            if shard in held.files and shard in held.entries:
                self._check(held, shard, beside, verdict)
            elif shard in held.files:
                verdict.findings.append(self.formatter.orphan(held.store, shard))
            elif shard in held.entries:
                verdict.findings.append(self.formatter.lost(held.store, shard))
        return verdict

    def _check(self, held: StoreContents, shard: Shard, beside: dict[str, Checked], verdict: Verdict) -> None:
        """Adds findings to `verdict`, and adds to `beside` the inputs of the shard's later stores."""
        try:
            checked = check_shard(held.store, shard, SCHEMAS[held.kind], self._look(held.store, shard))
        except (OSError, ValueError) as error:
            verdict.findings.append(self.formatter.unread(held.store, shard, error))
            return
        verdict.add(Verdict([], 1, checked.size))
        verdict.findings += self._compare(held, shard, checked, beside)
        if held.kind in (layout.MANIFEST, layout.FEATURES):
            beside[held.kind] = checked

    def _compare(
        self, held: StoreContents, shard: Shard, checked: Checked, beside: Mapping[str, Checked]
    ) -> list[Finding]:
        if checked.slabs is None:
            return [self.formatter.damaged(held.store, shard, checked.damage)]
        assert checked.entry is not None, "slabs are read after the entry"
        now = {kind: each.entry.checksum for kind, each in beside.items() if each.entry is not None}
        try:
            check_parents(checked.entry.parents, now)
        except Damage as damage:
            return [self.formatter.outdated(held.store, shard, str(damage))]
        if not self._has_source(held.kind, shard):
            return [self.formatter.without_source(held.store, shard)]
        source = beside[layout.FEATURES].slabs if layout.FEATURES in beside else None
        try:
            if held.kind in (layout.TARGETS, layout.PSEUDO_LABELS) and source is not None:
                check_beside(checked.slabs, source)
            if held.kind == layout.ALIGNMENTS and source is not None:
                _check_alignments(checked.slabs, source)
            if held.kind == layout.LATTICES and source is not None:
                check_same_rows(checked.slabs, source)
        except Damage as damage:
            return [self.formatter.damaged(held.store, shard, str(damage))]
        return []

    def _has_source(self, kind: str, shard: Shard) -> bool:
        """Whether there is a trace of what the shard was made from; a run without any manifest needs none."""
        source = {layout.MANIFEST: None, layout.FEATURES: layout.MANIFEST}.get(kind, layout.FEATURES)
        beside = [held for held in self.stores if held.kind == source]
        none_needed = source is None or (source == layout.MANIFEST and not any(map(_holds_any, beside)))
        return none_needed or any(shard in held.files or shard in held.entries for held in beside)

    def _look(self, store: ShardStore, shard: Shard) -> LookAtSlab:
        if (decode := _DECODERS.get(layout.kind_of_store(store.name))) is not None:
            return partial(_look_by, decode)
        if layout.kind_of_store(store.name) != layout.TARGETS:
            return lambda slab: None
        # The store's name begins with the teacher's id.
        return partial(
            check_slab, senones=self.senones.get(store.name.removeprefix(f"{layout.TARGETS}/").partition("-")[0])
        )


def _look_by(decode: Callable[[pa.Table], object], slab: pa.Table) -> None:
    try:
        decode(slab)
    except ValueError as error:
        raise Damage(f"is not whole: {error}") from error


def _holds_any(held: StoreContents) -> bool:
    return bool(len(held.files) or len(held.entries))


def _check_alignments(slabs: Sequence[SlabRows], source: Sequence[SlabRows]) -> None:
    """Damage if rows do not match the features; a row without frames could not be aligned and is right."""
    check_same_rows(slabs, source)
    for index, (slab, feature_slab) in enumerate(zip(slabs, source, strict=True)):
        if ((slab.frames != feature_slab.frames) & (slab.frames != 0)).any():
            raise Damage(f"has rows in slab {index} whose lengths differ from the features")
