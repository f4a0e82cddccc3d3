"""What a run has rejected, from where it is kept: the ledger entries of its shards, and the lists of its stages.

A stage's list has some of each split, and whole shards that could not be made, which no ledger has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from ssl_asr.corpus.shuffle import buckets_store, pieces_store
from ssl_asr.corpus.split_records import named_rejects
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.reject_list import dev_and_test_first
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.store.inventory import store_names
from ssl_asr.store.layout import MANIFEST, stage_of_store
from ssl_asr.store.ledger import Reject
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SPLITS

CORPUS = stage_of_store(MANIFEST)


def each_reject(recipe: Recipe, most: int | None = None) -> Iterator[tuple[str, Reject]]:
    """(stage, reject) of all stages, finished or running, in the order of the pipeline; dev and test come first.

    They are read as they are asked for. `most` limits how many there are of each split of a store.
    """
    ledgers = _ledgers(recipe.run)
    for stage in NAMES:
        for reject in _of_stage(recipe, stage, ledgers.get(stage, []), most):
            yield stage, reject


def count_rejects(recipe: Recipe) -> int:
    """Of all stages: as they told when they finished, or as the ledger has them. Opens no entry."""
    count = 0
    for stage, stores in {**dict.fromkeys(NAMES, ()), **_ledgers(recipe.run)}.items():
        report = read_report(recipe, stage)
        count += rejects_in(stores) if report is None else report.rejected
    return count


def rejects_of_corpus(run: str) -> int:
    """What the corpus stage has rejected so far."""
    return rejects_in(_ledgers(run).get(CORPUS, ()))


def rejects_in(stores: Sequence[ShardStore]) -> int:
    """How many the indices of the stores count."""
    return sum(int(store.index(split).column("rejects").sum()) for store in stores for split in store.splits())


def _ledgers(run: str) -> Mapping[str, Sequence[ShardStore]]:
    """By stage, the stores whose entries have its rejects. Of an earlier version's corpus there are no pieces."""
    found = defaultdict[str, list[ShardStore]](list)
    for name in store_names(run):
        found[stage_of_store(name)].append(ShardStore(run, name))
    if pieces_store(run).splits():
        found[CORPUS] = [pieces_store(run), buckets_store(run)]
    return found


def _of_stage(recipe: Recipe, stage: str, stores: Sequence[ShardStore], most: int | None) -> Iterator[Reject]:
    if stage == CORPUS and pieces_store(recipe.run).splits():
        for split in dev_and_test_first(SPLITS):
            yield from islice(named_rejects(recipe.run, split), most)
        return  # its list has nothing else
    listed = dict.fromkeys(read_rejects(recipe, stage))
    for reject in _once_each(stores, most):
        listed.pop(reject, None)
        yield reject
    yield from islice(listed, most)


def _once_each(stores: Sequence[ShardStore], most: int | None) -> Iterator[Reject]:
    """Of the stores of a stage: those of former models and settings may have rejected the same."""
    seen = set[Reject]()
    for store in stores:
        for split in dev_and_test_first(store.splits()):
            for reject in islice(store.each_reject(split), most):
                if reject not in seen:
                    yield reject
                if len(stores) > 1:
                    seen.add(reject)
