"""The corpus stage: manifests of every split, noise banks and the language model's text."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet as pq

from ssl_asr.corpus import sharding
from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import Versions, changed, read_versions, version_of, versions_of, write_versions
from ssl_asr.corpus.augment.banks import ensure_banks
from ssl_asr.corpus.augment.conditions import check_conditions, in_conditions, needs_banks
from ssl_asr.corpus.augment.noise import noise_kind
from ssl_asr.corpus.bands import narrow_band
from ssl_asr.corpus.language_text import ensure_text, is_written, language_text, write_sentences
from ssl_asr.corpus.sources import OPEN_SPEECH, CorpusReading, check_sources, read_sources
from ssl_asr.corpus.split_records import (
    SplitRecord,
    forget_record,
    is_whole,
    read_record,
    split_content,
    split_inputs,
    write_record,
)
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key, non_defaults
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_shares
from ssl_asr.runtime.todo import LANGUAGE_TEXT, Todo, reasons, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST, source_uri, stage_report_uri
from ssl_asr.store.ledger import LedgerEntry, Reject, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import CLEAN, SCHEMA, SPLITS, Utterance, decode, encode

STAGE = "corpus"
FRAMES_A_SECOND = 100
SHARDS_VERSION = "1"  # raise where equal utterances give other shards


def run_corpus(recipe: Recipe) -> StageReport:
    """Write `manifest/` and `corpus/` of the run.

    A split is listed again where the recipe's fields for it, the files that list its source, or its audio have
    changed. Shards whose speech is still the same are then left as they are, and so is all that was made from them;
    added speech comes in new shards. Such a run is cut differently from a fresh one on the same data: see
    `sharding.plan_shards`.
    ValueError, before any work, where the recipe names an unknown condition or source; once the splits are listed,
    where no labeled speech has the band that the front end looks at; and at the end where more utterances of a
    split were rejected than the recipe allows.
    """
    check_conditions(recipe.corpus)
    check_sources(recipe.corpus, ())
    wanted = {split: split_inputs(recipe, split) for split in SPLITS}
    clock = StageClock(recipe, STAGE, inputs_key({split: inputs_key(inputs) for split, inputs in wanted.items()}))
    todo = [split for split, inputs in wanted.items() if _why_listed(recipe, split, inputs)]
    if todo:
        # From here to the end nothing may look finished: an older report would vouch for half-new files.
        filesystem.delete(stage_report_uri(recipe.run, STAGE))
        check_sources(recipe.corpus, todo)
        todo, sources = _read(recipe, todo)
        write_sentences(recipe.run, sources)
        for split in todo:
            _list_split(recipe, split, sources, wanted[split])
    records = {split: _record(recipe, split) for split in SPLITS}
    _check_bands(recipe, records)
    if needs_banks(recipe.corpus):
        ensure_banks(recipe)
    ensure_text(recipe)
    line = "; ".join(dict.fromkeys(record.source for record in records.values()))
    filesystem.write_if_changed(source_uri(recipe.run), f"{line}\n".encode())
    rejects = [Reject(f"{split}/{each.id}", each.reason) for split in SPLITS for each in records[split].rejects]
    shards = sum(record.shards for record in records.values())
    skipped = sum(record.shards for split, record in records.items() if split not in todo)
    report = clock.finish(shards, skipped, rejects, _figures(records))
    found = {split: (len(each.rejects), len(each.rejects) + each.utterances) for split, each in records.items()}
    check_reject_shares(recipe, STAGE, found)
    return report


def _read(recipe: Recipe, todo: Sequence[str]) -> tuple[list[str], CorpusReading]:
    """The splits that are listed, and what was read. Splits of open speech must all be cut from the same speech."""
    sources = read_sources(recipe, todo)
    records = {split: read_record(recipe.run, split) for split in SPLITS if split not in todo}
    others = [
        split for split, record in records.items() if record and record.open_id and record.open_id != sources.open_id
    ]
    if not sources.open_id or not others:
        return list(todo), sources
    both = [split for split in SPLITS if split in (*todo, *others)]
    return both, read_sources(recipe, both)


def shard_parents(recipe: Recipe) -> dict[str, str]:
    """A manifest shard is what its rows say, and as long as the recipe asks for."""
    return {"version": SHARDS_VERSION, **non_defaults(recipe, "shards")}


def todo_corpus(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    """Splits that are to be listed again, with the shards that they have today."""
    check_conditions(recipe.corpus)
    check_sources(recipe.corpus, ())
    found = []
    for split in SPLITS:
        why = _why_listed(recipe, split, split_inputs(recipe, split))
        if why:
            record = read_record(recipe.run, split)
            found.append(Todo(f"manifest/{split}", why, None if record is None else record.shards))
    if found:
        return [*found, waiting(LANGUAGE_TEXT, found, certain=False)]
    return [] if is_written(recipe, language_text(recipe)) else [Todo(LANGUAGE_TEXT, ("corpus.lm_text",))]


def _why_listed(recipe: Recipe, split: str, inputs: Inputs) -> tuple[str, ...]:
    """Why the split is to be listed again; empty where it is not."""
    record = read_record(recipe.run, split)
    why = reasons(None if record is None else record.inputs, inputs)
    if why or (record is not None and is_whole(recipe.run, split, record)):
        return why
    return ("shards or audio that are missing",)


def _record(recipe: Recipe, split: str) -> SplitRecord:
    record = read_record(recipe.run, split)
    assert record is not None, "every split was listed"
    return record


def _list_split(recipe: Recipe, split: str, sources: CorpusReading, inputs: Inputs) -> None:
    """Write the shards of `split`, then its record."""
    reading = sources.splits[split]
    if not reading.utterances:
        raise ValueError(
            f"corpus.{split}={getattr(recipe.corpus, split)} leaves no utterance; see corpus.min_seconds, "
            f"corpus.max_seconds and the rejects ({_first(reading.rejects)})"
        )
    corpus, store = recipe.corpus, ShardStore(recipe.run, MANIFEST)
    forget_record(recipe.run, split)
    groups = in_conditions(reading.utterances, split, corpus, recipe.seed)
    known = read_versions(recipe.run, split)
    versions = versions_of(reading.files, known)
    stale = changed(versions, known)
    before = {
        number: slabs
        for number, slabs in _former_shards(store, split, shard_parents(recipe)).items()
        if stale.keys().isdisjoint(_files(itertools.chain.from_iterable(slabs)))
    }
    kept, new = sharding.plan_shards(groups, before, corpus.shard_minutes, corpus.slab_minutes)
    for number, slabs in new.items():
        _write_shard(store, Shard(split, number), slabs, shard_parents(recipe), versions)
    store.keep_only(split, [Shard(split, number) for number in (*kept, *new)])
    found = reading.utterances
    seconds = sum(utterance.duration for utterance in found)
    speakers = len({utterance.speaker for utterance in found})
    named = getattr(corpus, split)
    source = (sources.open_line or "") if named == OPEN_SPEECH else f"{split} from {named}"
    # A killed attempt finds the same files changed, until all shards are written.
    write_versions(recipe.run, split, versions)
    record = SplitRecord(
        {name: value for name, value in inputs.items() if name != "audio"},
        source,
        len(kept) + len(new),
        len(found),
        round(seconds, 3),
        speakers,
        sources.open_id if named == OPEN_SPEECH else "",
        split_content(recipe.run, split),
        reading.rejects,
        {rate: round(seconds, 3) for rate, seconds in sorted(reading.rates.items())},
    )
    write_record(recipe.run, split, record)


def _write_shard(store: ShardStore, shard: Shard, slabs: sharding.Slabs, parents: Inputs, versions: Versions) -> None:
    # What is made from a shard is made again where its file differs, and rows do not tell changed audio.
    version = version_of(_files(itertools.chain.from_iterable(slabs)), versions)
    # The entry of a former shard of this number must not vouch for the new file.
    filesystem.delete(store.ledger_uri(shard))
    rows = [utterance for slab in slabs for utterance in slab]
    store.publish(
        shard,
        SCHEMA,
        [encode(slab) for slab in slabs],
        [sum(map(_frames, slab)) for slab in slabs],
        seconds=sum(utterance.duration for utterance in rows),
        parents=parents,
        metadata={"ssl_asr.audio": version} if version else {},
        statistics={
            "degraded": sum(utterance.condition != CLEAN for utterance in rows),
            "noisy": sum(noise_kind(utterance.condition) is not None for utterance in rows),
            "texts": sum(utterance.text is not None for utterance in rows),
        },
    )


def _former_shards(store: ShardStore, split: str, parents: Inputs) -> dict[int, sharding.Slabs]:
    """What the run holds of `split`, cut as today, by number; shards that are not whole are left out."""
    entries = [entry for entry in store.entries(split) if dict(entry.parents) == parents]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        found = list(pool.map(lambda entry: _read_shard(store, entry), entries))
    return {entry.shard.number: slabs for entry, slabs in zip(entries, found, strict=True) if slabs is not None}


def _read_shard(store: ShardStore, entry: LedgerEntry) -> sharding.Slabs | None:
    """The shard's slabs; None if its file is missing or does not match the entry's checksum."""
    uri = store.uri(entry.shard)
    data = filesystem.read_bytes(uri) if filesystem.exists(uri) else b""
    if checksum(data) != entry.checksum:
        return None
    file = pq.ParquetFile(io.BytesIO(data))
    return [decode(file.read_row_group(slab)) for slab in range(file.num_row_groups)]


def _files(utterances: Iterable[Utterance]) -> set[str]:
    return {file for utterance in utterances if (file := file_of(utterance.audio)) is not None}


def _frames(utterance: Utterance) -> int:
    return round(utterance.duration * FRAMES_A_SECOND)


def _check_bands(recipe: Recipe, records: Mapping[str, SplitRecord]) -> None:
    """Before any feature is made, and as often as the stage runs: the front end may have been changed since."""
    for split, record in records.items():
        if said := narrow_band(record.rates, split, recipe.frontend):
            print(f"warning: {said}", file=sys.stderr)


def _first(rejects: tuple[Reject, ...]) -> str:
    return f"the first: {rejects[0].id}: {rejects[0].reason}" if rejects else "there are none"


def _figures(records: Mapping[str, SplitRecord]) -> Mapping[str, float | str]:
    minutes = {f"{split}_minutes": round(record.seconds / 60, 1) for split, record in records.items()}
    utterances = sum(record.utterances for record in records.values())
    source = next(iter(records.values())).source.partition(":")[0]
    return {**minutes, "utterances": utterances, "source": source}
