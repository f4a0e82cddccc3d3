"""The sources of training speech that a run holds, with labels or with targets."""

from __future__ import annotations

from ssl_asr.corpus.augment.conditions import versions
from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.systems import stage_of, teachers_of
from ssl_asr.recipe import Corpus, Heard, Recipe
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.store import alignments, features, filesystem, targets
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.data.sources import Source, SourceName, source_of


def source_of_run(
    recipe: Recipe,
    split: str,
    heard: Heard = "all",
    *,
    required: bool = True,
    senones: SenoneSet | None = None,
    aligned: bool = True,
) -> Source:
    """The split's slabs, of whose recordings a pass hears all versions or one.

    Where only `aligned` speech is wanted, labeled shards that could not be aligned, which the rejects list, are left
    out. `senones` is the run's unless given.
    """
    name: SourceName = "unlabeled" if split == "unlabeled" else "labeled"
    finished = ShardStore(recipe.run, features.STORE).index(split)
    source = source_of(name, split, finished, recipe.seed, versions_of_pass(recipe.corpus, split, heard))
    if name == "labeled" and aligned:
        labels = senones or load_senones(recipe.run)
        source = source.only(_finished(recipe, alignments.store_name(labels.alignment_set), split))
    if required and not len(source):
        raise ValueError(
            f"{recipe.run} has no {split} speech to train on; run the stages 'frontend' and 'hmm'; `ssl-asr failed` "
            "lists what they rejected"
        )
    return source


def versions_of_pass(corpus: Corpus, split: str, heard: Heard) -> int:
    """Of how many versions of each recording a pass hears one; 1 where it hears all."""
    return versions(corpus, split) if heard == "one" else 1


def _finished(recipe: Recipe, store: str, split: str) -> set[Shard]:
    return set(ShardStore(recipe.run, store).shards(split))


def true_source(recipe: Recipe, unlabeled: Source) -> Source:
    """The slabs of unlabeled speech that are aligned by its texts; ValueError if there is none."""
    store = alignments.store_name(load_senones(recipe.run).alignment_set)
    found = unlabeled.only(_finished(recipe, store, "unlabeled"))
    if not len(found):
        raise ValueError(f"{recipe.run} has no alignment of unlabeled speech; run the stage 'hmm' first")
    return found


def labelled_source(recipe: Recipe, unlabeled: Source) -> tuple[str, Source]:
    """Id of the recipe's target set and the slabs that it covers; target sets are never mixed.

    ValueError if shards are missing that the labelling stage did not reject.
    """
    for name in teachers_of(recipe):
        if not filesystem.exists(model_uri(recipe.run, name)):
            raise ValueError(f"{recipe.run} has no {name}; run the stage '{stage_of(name)}' first")
    target_set = target_set_id(recipe)
    store = targets.store_name(target_set)
    return target_set, _covered(recipe, unlabeled, store, stage="labelling", key=target_set)


def recognised_source(recipe: Recipe, unlabeled: Source) -> tuple[str, Source]:
    """Id of the recipe's set of hypotheses and the slabs that it covers.

    ValueError if shards are missing that the hypotheses stage did not reject.
    """
    made = hypothesis_set(recipe)
    return made.id, _covered(recipe, unlabeled, made.store.name, stage="hypotheses", key=made.id)


def _covered(recipe: Recipe, unlabeled: Source, store: str, *, stage: str, key: str) -> Source:
    done = _finished(recipe, store, "unlabeled")
    report = read_report(recipe, stage)
    mine = report is not None and report.key == key  # the stored rejects belong to the set made last
    rejected = {reject.id for reject in read_rejects(recipe, stage)} if mine else set()
    missing = {shard for shard in unlabeled.shards if shard.name not in rejected} - done
    if missing or not done:
        what = "targets" if stage == "labelling" else "words"
        raise ValueError(f"{len(missing)} unlabeled shards have no {what} in {store}; run the stage '{stage}' first")
    return unlabeled.only(done)
