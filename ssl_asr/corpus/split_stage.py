"""Lists one split: reads its source, cuts its shards, and records what they hold."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from ssl_asr.corpus.duplicates import USED_AGAIN
from ssl_asr.corpus.piece_job import CUT, ESTIMATED_RATES, RATES, UNMATCHED
from ssl_asr.corpus.shuffle import SEGMENTS_AGAIN, buckets_store, pieces_store
from ssl_asr.corpus.small_work import placed
from ssl_asr.corpus.sources import OPEN_SPEECH, CutSpeech, SourceLists, source_of
from ssl_asr.corpus.split_listing import SplitListing
from ssl_asr.corpus.split_records import (
    SplitRecord,
    forget_record,
    has_audio,
    split_content,
    split_rejects,
    write_record,
)
from ssl_asr.progress import Watch, clock
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, non_defaults
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.shards import ShardStore

SHARDS_VERSION = "1"  # raise where equal utterances give other shards
# Lists below this are read here: about a thousand utterances, which take less time than the start of actors.
SMALL_BYTES = 256 << 10


def shard_parents(recipe: Recipe) -> dict[str, str]:
    """A manifest shard is what its rows say, and as long as the recipe asks for."""
    return {"version": SHARDS_VERSION, **non_defaults(recipe, "shards")}


def list_split(
    recipe: Recipe, split: str, speech: CutSpeech | None, inputs: Inputs, lists: SourceLists, *, watch: Watch
) -> None:
    """Write the shards of `split`, then its record. ValueError where no utterance is left.

    `watch` is told how far each step is.
    """
    named = recipe.corpus.source_of(split)
    is_open = named == OPEN_SPEECH
    fields = {name: value for name, value in inputs.items() if name not in ("source", "audio")}
    source = source_of(recipe, split, fields, speech, lists)
    place = partial(placed, is_small=is_open or source.size < SMALL_BYTES, watch=watch)
    listing = SplitListing(recipe, split, source, shard_parents(recipe), place)
    if not has_audio(recipe, split):
        listing.forget()
    forget_record(recipe.run, split)
    listing.read()
    pieces = pieces_store(recipe.run).index(split)
    _tell(pieces, f"corpus.{split}={named}")
    if not pieces.column("rows").sum():
        first = next(split_rejects(recipe.run, split), None)
        said = "there are none" if first is None else f"the first: {first.id}: {first.reason}"
        raise ValueError(
            f"corpus.{split}={named} leaves no utterance; see corpus.min_seconds, corpus.max_seconds and the rejects "
            f"({said})"
        )
    # A short list may name many hours.
    place = partial(placed, is_small=is_open or listing.size < SMALL_BYTES, watch=watch)
    replace(listing, place=place).cut()
    _tell_used_again(recipe.run, split, named)
    line = speech.line if is_open and speech else f"{split} from {named}"
    inputs = {name: value for name, value in inputs.items() if name != "audio"}
    write_record(recipe.run, split, _record(recipe.run, split, inputs, line, speech.id if is_open and speech else ""))


def _tell(pieces: LedgerIndex, source: str) -> None:
    for what, count in _sums(pieces, UNMATCHED).items():
        print(f"warning: {source}: {count:,.0f} {what}", file=sys.stderr)
    if cut := _sums(pieces, CUT):
        print(f"{source}: {_told(cut)}", file=sys.stderr)


def _tell_used_again(run: str, split: str, named: str) -> None:
    """Ids that meet in a piece, and those that meet in others: a bucket has no other rejects than these."""
    within = np.nansum(pieces_store(run).index(split).statistic(USED_AGAIN))
    if count := int(within + buckets_store(run).index(split).column("rejects").sum()):
        what = "utterances have an id that was used before, and are rejected"
        print(f"warning: corpus.{split}={named}: {count:,} {what}", file=sys.stderr)


def _record(run: str, split: str, inputs: Mapping[str, str], line: str, open_id: str) -> SplitRecord:
    """Of a split whose shards are cut."""
    pieces, buckets, manifest = (
        store.index(split) for store in (pieces_store(run), buckets_store(run), ShardStore(run, MANIFEST))
    )
    return SplitRecord(
        inputs=inputs,
        source=line,
        shards=len(manifest),
        utterances=int(buckets.column("rows").sum()),
        seconds=round(float(buckets.column("seconds").sum()), 3),
        speakers=int(buckets.statistic("speakers").sum()),
        open_id=open_id,
        content=split_content(run, split),
        rejected=int(pieces.column("rejects").sum() + buckets.column("rejects").sum()),
        rates=_rounded_sums(pieces, RATES),
        estimated_rates=_rounded_sums(pieces, ESTIMATED_RATES),
        cut=_rounded_sums(pieces, CUT),
        segments_again=int(np.nansum(buckets.statistic(SEGMENTS_AGAIN))),
    )


def _told(cut: Mapping[str, float]) -> str:
    """Counts of `segment_job.CutCounts`, for a person."""
    recordings, segments, seconds, left_out = (
        cut.get(name, 0.0) for name in ("recordings", "segments", "seconds", "left_out_seconds")
    )
    return (
        f"{recordings:,.0f} recordings longer than corpus.max_seconds were cut into {segments:,.0f} segments; of "
        f"{clock(seconds)}, {clock(left_out)} without speech were left out"
    )


def _rounded_sums(pieces: LedgerIndex, kind: str) -> dict[str, float]:
    return {name: round(total, 3) for name, total in sorted(_sums(pieces, kind).items())}


def _sums(pieces: LedgerIndex, kind: str) -> dict[str, float]:
    """Of a statistic that is a mapping, over all pieces of a split."""
    names = pieces.statistics_below(f"{kind}.")
    sums = {name.partition(".")[2]: float(np.nansum(pieces.statistic(name))) for name in names}
    return {name: total for name, total in sums.items() if total}  # former pieces had other names
