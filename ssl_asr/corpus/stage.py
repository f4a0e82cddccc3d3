"""The corpus stage: manifests of every split, noise banks and the language model's text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from ssl_asr.corpus.augment.banks import ensure_banks
from ssl_asr.corpus.augment.conditions import check_conditions, needs_banks
from ssl_asr.corpus.bands import narrow_band
from ssl_asr.corpus.language_text import ensure_text, is_written, write_open_text
from ssl_asr.corpus.sources import OPEN_SPEECH, CutSpeech, SourceLists, check_sources, cut_speech
from ssl_asr.corpus.split_records import (
    SplitRecord,
    has_audio,
    is_whole,
    named_rejects,
    read_record,
    split_inputs,
)
from ssl_asr.corpus.split_stage import list_split
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.runtime.reject_list import MOST_LISTED, dev_and_test_first
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, above_share, check_reject_shares
from ssl_asr.runtime.todo import LANGUAGE_TEXT, Todo, reasons, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import source_uri
from ssl_asr.store.layout import stage_report_uri
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import SPLITS

STAGE = "corpus"
_MISSING = "shards or audio that are missing"
_TOO_MANY = "more rejects than corpus.max_reject_share allows"


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
    lists = SourceLists()
    wanted = {split: split_inputs(recipe, split, lists) for split in SPLITS}
    clock = StageClock(recipe, STAGE, inputs_key({split: inputs_key(inputs) for split, inputs in wanted.items()}))
    todo = [split for split, inputs in wanted.items() if _why_listed(recipe, split, inputs)]
    if todo:
        # From here to the end nothing may look finished: an older report would vouch for half-new files.
        filesystem.delete(stage_report_uri(recipe.run, STAGE))
        check_sources(recipe.corpus, todo, lists)
        todo, speech = _with_open_speech(recipe, todo)
        for split in todo:
            list_split(recipe, split, speech, wanted[split], lists, watch=clock.note)
        clock.note(None)
    records = {split: _record(recipe, split) for split in SPLITS}
    _check_bands(recipe, records)
    if needs_banks(recipe.corpus):
        ensure_banks(recipe)
    ensure_text(recipe)
    line = "; ".join(dict.fromkeys(record.source for record in records.values()))
    filesystem.write_if_changed(source_uri(recipe.run), f"{line}\n".encode())
    shards = sum(record.shards for record in records.values())
    skipped = sum(record.shards for split, record in records.items() if split not in todo)
    rejected = sum(record.rejected for record in records.values())
    report = clock.finish(shards, skipped, _rejects(recipe.run), _figures(records), rejected=rejected)
    found = {split: each.rejected_and_listed for split, each in records.items()}
    check_reject_shares(recipe, STAGE, found)
    return report


def _with_open_speech(recipe: Recipe, todo: Sequence[str]) -> tuple[list[str], CutSpeech | None]:
    """The splits that are listed, and open speech if one of them is. All its splits must be cut from the same."""
    mine = [split for split in SPLITS if getattr(recipe.corpus, split) == OPEN_SPEECH]
    if not {*mine} & {*todo}:
        return list(todo), None
    speech = cut_speech(recipe)
    write_open_text(recipe.run, speech.splits.written)
    records = {split: read_record(recipe.run, split) for split in mine if split not in todo}
    others = [split for split, record in records.items() if record and record.open_id != speech.id]
    return [split for split in SPLITS if split in (*todo, *others)], speech


def todo_corpus(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    """Splits that are to be listed again, with the shards that they have today."""
    check_conditions(recipe.corpus)
    check_sources(recipe.corpus, ())
    found, lists = [], SourceLists()
    for split in SPLITS:
        why = _why_listed(recipe, split, split_inputs(recipe, split, lists))
        if why:
            record = read_record(recipe.run, split)
            found.append(Todo(f"manifest/{split}", why, None if record is None else record.shards))
    if found:
        return [*found, waiting(LANGUAGE_TEXT, found, certain=False)]
    return [] if is_written(recipe) else [Todo(LANGUAGE_TEXT, ("corpus.lm_text",))]


def _why_listed(recipe: Recipe, split: str, inputs: Inputs) -> tuple[str, ...]:
    """Why the split is to be listed again; empty where it is not."""
    record = read_record(recipe.run, split)
    why = reasons(None if record is None else record.inputs, inputs)
    if why or record is None:
        return why
    if not (is_whole(recipe.run, split, record) and has_audio(recipe, split)):
        return (_MISSING,)
    # The stage has ended because of them. What was mended since may be nothing that is compared, such as a program.
    return (_TOO_MANY,) if above_share(recipe, *record.rejected_and_listed) else ()


def _record(recipe: Recipe, split: str) -> SplitRecord:
    record = read_record(recipe.run, split)
    assert record is not None, "every split was listed"
    return record


def _rejects(run: str) -> Iterator[Reject]:
    """The first of each split, for a person to read."""
    for split in dev_and_test_first(SPLITS):
        yield from islice(named_rejects(run, split), MOST_LISTED)


def _check_bands(recipe: Recipe, records: Mapping[str, SplitRecord]) -> None:
    """Before any feature is made, and as often as the stage runs: the front end may have been changed since."""
    for split, record in records.items():
        if said := narrow_band(record.rates, split, recipe.frontend, record.estimated_rates):
            print(f"warning: {said}", file=sys.stderr)


def _figures(records: Mapping[str, SplitRecord]) -> Mapping[str, float | str]:
    minutes = {f"{split}_minutes": round(record.seconds / 60, 1) for split, record in records.items()}
    silent = {split: record.cut.get("left_out_seconds", 0) / 60 for split, record in records.items() if record.cut}
    minutes |= {f"{split}_minutes_without_speech": round(left_out, 1) for split, left_out in silent.items()}
    utterances = sum(record.utterances for record in records.values())
    source = next(iter(records.values())).source.partition(":")[0]
    return {**minutes, "utterances": utterances, "source": source}
