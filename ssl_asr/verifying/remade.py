"""Which stores a repair makes anew: those whose stage, run now, leaves every whole shard as it is.

The run itself says so, not its recipe: a shard counts as outdated if its entry names other parents than it would have
today. A stage would make such a shard anew too, and with it all that was made from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from ssl_asr.corpus.sources import SourceLists, check_sources
from ssl_asr.corpus.split_records import read_record, split_inputs
from ssl_asr.frontend.stage import prior_of_today
from ssl_asr.frontend.stage import shard_stage as feature_stage
from ssl_asr.hmm.stage import alignment_stages
from ssl_asr.hmm.training import hmm_inputs, read_trained
from ssl_asr.hypotheses.sets import can_be_made, hypothesis_set, model_of
from ssl_asr.hypotheses.stage import shard_stage as hypothesis_stage
from ssl_asr.labelling.stage import shard_stage as target_stage
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_maker import source_of_entry
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST, split_folder
from ssl_asr.store.ledger import LedgerEntry, Shard, parents_digest
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.listing import list_numbers
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.store.utterance import SPLITS
from ssl_asr.training.realign_rounds import rounds, shard_stages


def remade_stores(recipe: Recipe, *, labels: bool) -> set[str]:
    """Names of these stores; no targets, nor words by a network of the run, unless its models are whole: `labels`."""
    found = {MANIFEST} if _is_listed_as_today(recipe) else set()
    stages = list(_stages(recipe, labels=labels))
    outdated = {stage.store.name for stage in stages if has_outdated(stage)}
    return found | {stage.store.name for stage in stages} - outdated


def _is_listed_as_today(recipe: Recipe) -> bool:
    """Whether the sources of all splits are there, and list what they did when the manifest was written."""
    try:
        lists = SourceLists()
        check_sources(recipe.corpus, lists=lists)
        records = {split: read_record(recipe.run, split) for split in SPLITS}
        return all(rec and rec.inputs == split_inputs(recipe, split, lists) for split, rec in records.items())
    except (ValueError, OSError):
        return False


def _stages(recipe: Recipe, *, labels: bool) -> Iterator[ShardStage]:
    """Those that know today what they would make shards with: a prior, a flat start, a teacher."""
    try:
        prior = prior_of_today(recipe)
    except ValueError:  # the prior's file is damaged: with another one, all features would be made anew
        prior = None
    if prior is not None:
        yield feature_stage(recipe, prior)
    try:
        trained = read_trained(recipe.run, hmm_inputs(recipe))
    except ValueError:  # of damaged features: alignments are looked at again once these are repaired
        trained = None
    if trained is not None:
        yield from alignment_stages(recipe, trained)
    try:
        for each in rounds(recipe):
            yield from shard_stages(recipe, each)
    except ValueError:  # of damaged alignments or networks: looked at again once the alignments are repaired
        pass
    if labels and all(filesystem.exists(model_uri(recipe.run, name)) for name in teachers_of(recipe)):
        yield target_stage(recipe)
    if can_be_made(recipe) and (labels or not model_of(recipe)):
        with suppress(ValueError):  # of damaged senones, or without a text of the language model
            yield hypothesis_stage(recipe, hypothesis_set(recipe))


def has_outdated(stage: ShardStage) -> bool:
    """Whether a whole shard that the stage makes was made from something else than it would be today."""
    try:
        suspects = _differing(stage)
    except ValueError:  # of a damaged entry, or damaged features: the verification says so by itself
        suspects = [Shard(split, number) for split in stage.splits for number in _with_files(stage.store, split)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return any(pool.map(lambda shard: _is_outdated(stage, shard), suspects))


def _differing(stage: ShardStage) -> list[Shard]:
    """Shards with both file and entry, whose entry, by the ledger's index, names other parents than today's."""
    found = []
    for split, source in stage.sources.items():
        digests = np.fromiter((parents_digest(stage.parents(each)) for each in stage.rows_of(split)), np.uint64)
        mine = stage.store.index(split)
        held = np.isin(source.numbers, mine.numbers) & stage.store.have_files(split, source.numbers)
        outdated = source.numbers[held & ~mine.made_from(source.numbers, digests)]
        found += [Shard(split, number) for number in outdated.tolist()]
    return found


def _with_files(store: ShardStore, split: str) -> list[int]:
    numbers: list[int] = list_numbers(split_folder(store.root, store.name, split), store.suffix).tolist()
    return numbers


def _is_outdated(stage: ShardStage, shard: Shard) -> bool:
    entry, source = _entry(stage.store, shard), _entry(stage.source, shard)
    if entry is None or source is None:
        return False
    try:
        return dict(entry.parents) != dict(stage.parents(source_of_entry(source, stage.statistics)))
    except ValueError:  # of damaged features beside it, which the verification says by itself
        return False


def _entry(store: ShardStore, shard: Shard) -> LedgerEntry | None:
    """None where it is damaged or speaks of another shard, which the verification says by itself."""
    try:
        entry = store.entry(shard)
    except ValueError:
        return None
    return entry if entry is not None and (entry.store, entry.shard) == (store.name, shard) else None
