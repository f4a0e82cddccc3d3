"""Repair: bad shards are deleted and made anew, store after store in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ssl_asr.models.systems import REALIGN
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import stage
from ssl_asr.runtime.stage_report import StageReport
from ssl_asr.store import filesystem
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST, PSEUDO_LABELS, TARGETS, kind_of_store, stage_of_store
from ssl_asr.store.ledger import Shard
from ssl_asr.verifying.findings import Finding
from ssl_asr.verifying.run import check_shards, refuse_under_way, splits_of, verify

# What each kind of shard is made from, directly or not.
_MADE_FROM = {FEATURES: (MANIFEST,)} | dict.fromkeys((ALIGNMENTS, TARGETS, PSEUDO_LABELS), (MANIFEST, FEATURES))


def repair(recipe: Recipe, suspects: Collection[Shard]) -> Iterator[StageReport]:
    """Delete what is bad of `suspects`, and leftovers; run the stages that make it anew, and give their reports.

    The suspects are looked at once more: reading a whole run takes hours, in which a stage may have been at work.
    ValueError, before anything is deleted, where a stage is, or where bad shards can't be made anew because others
    that they are made from are at fault and can't be. A stage drops what it finds no source for.
    """
    refuse_under_way(recipe)
    found = verify(recipe, suspects).findings
    _refuse_without_source(recipe, found)
    for finding in found:
        if finding.shard is None:
            _delete(finding)
    for name in _stages(recipe):
        bad = [finding for finding in check_shards(recipe, suspects) if finding.remade and _stage(finding) == name]
        if not bad:
            continue
        for finding in bad:
            _delete(finding)
        yield stage(name).function()(recipe)
        _refuse_unmade(name, bad, check_shards(recipe, suspects))


def _stages(recipe: Recipe) -> list[str]:
    """Those that write stores, in their order; realign once a round, as each round depends on the one before."""
    return ["corpus", "frontend", "hmm", *[REALIGN] * recipe.hmm.realign, "labelling", "hypotheses"]


def _stage(finding: Finding) -> str:
    return stage_of_store(finding.store)


def _delete(finding: Finding) -> None:
    for uri in finding.delete:
        filesystem.delete(uri)


def _refuse_without_source(recipe: Recipe, found: Sequence[Finding]) -> None:
    for finding in found:
        blocked = [
            source.store
            for source in found
            if finding.remade and not source.remade and _is_source(recipe, source, kind_of_store(finding.store))
        ]
        if blocked:
            raise ValueError(
                f"nothing was deleted: {kind_of_store(finding.store)} can't be made again from damaged {blocked[0]}; "
                "fix these first"
            )


def _is_source(recipe: Recipe, source: Finding, kind: str) -> bool:
    """Whether the stage that writes `kind` reads the shard at fault."""
    reads = source.shard is not None and source.shard.split in splits_of(recipe, kind)
    return reads and source.store in _MADE_FROM.get(kind, ())


def _refuse_unmade(name: str, bad: Sequence[Finding], found: Sequence[Finding]) -> None:
    """What is made from these shards keeps what it has."""
    deleted = {(finding.store, finding.shard) for finding in bad}
    still = [finding for finding in found if (finding.store, finding.shard) in deleted]
    if still:
        shards = len({(finding.store, finding.shard) for finding in still})
        raise ValueError(
            f"{name} did not make {shards} of the bad shards of {kind_of_store(still[0].store)} anew; the first: "
            f"{still[0].sentence}"
        )
