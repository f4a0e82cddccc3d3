"""The corpus stage: manifests of every split, noise banks and the language model's text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ssl_asr.corpus import sharding
from ssl_asr.corpus.banks import write_banks
from ssl_asr.corpus.conditions import check_conditions, in_conditions, needs_banks
from ssl_asr.corpus.noise import KINDS, USES, bank_uri
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.sources import Sources, check_sources, read_sources
from ssl_asr.corpus.utterance import SCHEMA, SPLITS, STORE, Utterance, encode
from ssl_asr.recipe import Recipe
from ssl_asr.stage import StageClock, StageReport, check_reject_share, read_report, rejects_uri, report_uri
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

FRAMES_A_SECOND = 100


def lm_text_uri(run: str) -> str:
    return filesystem.join(run, "corpus", "lm_text.txt")


def source_uri(run: str) -> str:
    return filesystem.join(run, "corpus", "source.txt")


def run_corpus(recipe: Recipe) -> StageReport:
    """Write `manifest/` and `corpus/` of the run.

    Sources are read once: delete `stages/corpus.json` of the run to have a changed source read again.
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
        filesystem.delete(report_uri(recipe, "corpus"))
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


def _write_corpus_files(recipe: Recipe, sources: Sources) -> None:
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
    shards = sharding.cut_shards(groups, corpus.shard_minutes, corpus.slab_minutes)
    for number, slabs in enumerate(shards):
        store.publish(
            Shard(split, number),
            SCHEMA,
            [encode(slab) for slab in slabs],
            [sum(map(_frames, slab)) for slab in slabs],
            seconds=sum(utterance.duration for slab in slabs for utterance in slab),
            parents=parents,
            metadata={},
        )
    for entry in store.entries(split)[len(shards) :]:  # of a former recipe
        filesystem.delete(store.ledger_uri(entry.shard))
        filesystem.delete(store.uri(entry.shard))
    return len(shards)


def _frames(utterance: Utterance) -> int:
    return round(utterance.duration * FRAMES_A_SECOND)


def _first(rejects: tuple[Reject, ...]) -> str:
    return f"the first: {rejects[0].id}: {rejects[0].reason}" if rejects else "there are none"


def _all_rejects(sources: Sources) -> list[Reject]:
    return [
        Reject(f"{split}/{reject.id}", reject.reason)
        for split, reading in sources.splits.items()
        for reject in reading.rejects
    ]


def _old_rejects(recipe: Recipe) -> list[Reject]:
    lines = filesystem.read_bytes(rejects_uri(recipe, "corpus")).decode().splitlines()
    return [Reject(**json.loads(line)) for line in lines]


def _figures(sources: Sources) -> Mapping[str, float | str]:
    """Clean recordings, not their degraded copies."""
    recordings = {split: reading.utterances for split, reading in sources.splits.items()}
    minutes = {
        f"{split} minutes": round(sum(utterance.duration for utterance in found) / 60, 1)
        for split, found in recordings.items()
    }
    everything = [utterance for found in recordings.values() for utterance in found]
    return {
        **minutes,
        "utterances": len(everything),
        "speakers": len({utterance.speaker for utterance in everything}),
        "source": sources.line.partition(":")[0],
    }
