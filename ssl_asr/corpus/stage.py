"""The corpus stage: manifests of every split, noise banks and the language model's text."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow.parquet as pq

from ssl_asr.corpus import sharding
from ssl_asr.corpus.augment.banks import write_banks
from ssl_asr.corpus.augment.conditions import check_conditions, in_conditions, needs_banks
from ssl_asr.corpus.augment.noise import KINDS, USES
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.sources import CorpusReading, check_sources, read_sources
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, read_report
from ssl_asr.store import filesystem
from ssl_asr.store.layout import bank_uri, lm_text_uri, rejects_uri, source_uri, stage_report_uri
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SCHEMA, SPLITS, STORE, Utterance, decode, encode

FRAMES_A_SECOND = 100


def run_corpus(recipe: Recipe) -> StageReport:
    """Write `manifest/` and `corpus/` of the run.

    Sources are read once: delete `stages/corpus.json` of the run to have a changed source read again. Shards whose
    speech is still the same are then left as they are, and so is all that was made from them; added speech comes in
    new shards. Such a run is cut differently from a fresh one on the same data: see `sharding.plan_shards`.
    ValueError, before any work, where the recipe names an unknown condition or source, and at the end where more
    utterances were rejected than it allows.
    """
    check_conditions(recipe.corpus)
    check_sources(recipe.corpus)
    key = recipe.key("corpus")
    clock = StageClock(recipe, "corpus", key)
    done = _found_done(recipe, key)
    if done:
        rejects = _old_rejects(recipe)
        report = clock.finish(done.pieces, done.pieces, rejects, done.figures)
    else:
        # From here to the end nothing may look finished: an older recipe's report would vouch for half-new files.
        filesystem.delete(stage_report_uri(recipe.run, "corpus"))
        sources = read_sources(recipe, needs_banks(recipe.corpus))
        _write_corpus_files(recipe, sources)
        pieces = sum(_publish(recipe, split, reading, key) for split, reading in sources.splits.items())
        rejects = _all_rejects(sources)
        report = clock.finish(pieces, 0, rejects, _figures(sources))
    check_reject_share(recipe, "corpus", len(rejects), len(rejects) + int(report.figures["utterances"]))
    return report


def _found_done(recipe: Recipe, key: str) -> StageReport | None:
    """The report of this very recipe's corpus, if all that it speaks of is there."""
    report = read_report(recipe, "corpus")
    if report is None or report.key != key:
        return None
    store = ShardStore(recipe.run, STORE)
    entries = [entry for split in SPLITS for entry in store.entries(split)]
    whole = len(entries) == report.pieces and all(store.is_done(entry.shard, {"recipe": key}) for entry in entries)
    # The cache may have moved: a look at the first audio file of each shard.
    whole = whole and all(
        filesystem.exists(store.read_slab(e.shard, 0, ["audio"])["audio"][0].as_py()) for e in entries
    )
    files = [lm_text_uri(recipe.run), source_uri(recipe.run)]
    if needs_banks(recipe.corpus):
        files += [bank_uri(recipe.run, use, kind) for use in USES for kind in KINDS]
    return report if whole and all(map(filesystem.exists, files)) else None


def _write_corpus_files(recipe: Recipe, sources: CorpusReading) -> None:
    filesystem.write_bytes(lm_text_uri(recipe.run), ("\n".join(sources.written) + "\n").encode())
    filesystem.write_bytes(source_uri(recipe.run), (sources.line + "\n").encode())
    if needs_banks(recipe.corpus):
        assert sources.speech is not None
        for use in USES:
            write_banks(recipe.run, use, sources.speech.noise[use], recipe.seed)


def _publish(recipe: Recipe, split: str, reading: Reading, key: str) -> int:
    """Write the shards of `split`; how many there are."""
    if not reading.utterances:
        raise ValueError(
            f"corpus.{split}={getattr(recipe.corpus, split)} leaves no utterance; see corpus.min_seconds, "
            f"corpus.max_seconds and the rejects ({_first(reading.rejects)})"
        )
    corpus, store, parents = recipe.corpus, ShardStore(recipe.run, STORE), {"recipe": key}
    groups = in_conditions(reading.utterances, split, corpus, recipe.seed)
    if split == "unlabeled":
        groups = [[replace(utterance, text=None) for utterance in group] for group in groups]
    before = _former_shards(store, split, parents)
    kept, new = sharding.plan_shards(groups, before, corpus.shard_minutes, corpus.slab_minutes)
    for number, slabs in new.items():
        _write_shard(store, Shard(split, number), slabs, parents)
    store.keep_only(split, [Shard(split, number) for number in (*kept, *new)])
    return len(kept) + len(new)


def _write_shard(store: ShardStore, shard: Shard, slabs: sharding.Slabs, parents: Mapping[str, str]) -> None:
    # The entry of a former shard of this number, even of this recipe, must not vouch for the new file.
    filesystem.delete(store.ledger_uri(shard))
    store.publish(
        shard,
        SCHEMA,
        [encode(slab) for slab in slabs],
        [sum(map(_frames, slab)) for slab in slabs],
        seconds=sum(utterance.duration for slab in slabs for utterance in slab),
        parents=parents,
        metadata={},
    )


def _former_shards(store: ShardStore, split: str, parents: Mapping[str, str]) -> dict[int, sharding.Slabs]:
    """What the run holds of `split`, made from `parents`, by number; shards that are not whole are left out."""
    entries = [entry for entry in store.entries(split) if dict(entry.parents) == dict(parents)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = list(pool.map(lambda entry: _read_shard(store, entry), entries))
    return {entry.shard.number: slabs for entry, slabs in zip(entries, found, strict=True) if slabs is not None}


def _read_shard(store: ShardStore, entry: LedgerEntry) -> sharding.Slabs | None:
    """The shard's slabs; None where its file is missing, or is not the one that the entry speaks of."""
    uri = store.uri(entry.shard)
    data = filesystem.read_bytes(uri) if filesystem.exists(uri) else b""
    if checksum(data) != entry.checksum:
        return None
    file = pq.ParquetFile(io.BytesIO(data))
    if not file.schema_arrow.equals(SCHEMA):  # of an earlier version of this program
        return None
    return [decode(file.read_row_group(slab)) for slab in range(file.num_row_groups)]


def _frames(utterance: Utterance) -> int:
    return round(utterance.duration * FRAMES_A_SECOND)


def _first(rejects: tuple[Reject, ...]) -> str:
    return f"the first: {rejects[0].id}: {rejects[0].reason}" if rejects else "there are none"


def _all_rejects(sources: CorpusReading) -> list[Reject]:
    return [
        Reject(f"{split}/{reject.id}", reject.reason)
        for split, reading in sources.splits.items()
        for reject in reading.rejects
    ]


def _old_rejects(recipe: Recipe) -> list[Reject]:
    lines = filesystem.read_bytes(rejects_uri(recipe.run, "corpus")).decode().splitlines()
    return [Reject(**json.loads(line)) for line in lines]


def _figures(sources: CorpusReading) -> Mapping[str, float | str]:
    """Clean recordings, not their degraded copies."""
    recordings = {split: reading.utterances for split, reading in sources.splits.items()}
    minutes = {
        f"{split}_minutes": round(sum(utterance.duration for utterance in found) / 60, 1)
        for split, found in recordings.items()
    }
    everything = [utterance for found in recordings.values() for utterance in found]
    return {
        **minutes,
        "utterances": len(everything),
        "speakers": len({utterance.speaker for utterance in everything}),
        "source": sources.line.partition(":")[0],
    }
