"""The rounds of the realign stage: which networks of a run are today's, what they align, and the job that does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm import unlabeled_texts
from ssl_asr.hmm.aligned_set import counted_senones
from ssl_asr.hmm.network_aligner import Float32, Frames, Scores
from ssl_asr.hmm.realign_job import RealignJob, Round
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.hmm.stage import SPLITS
from ssl_asr.hmm.training import hmm_inputs, read_trained
from ssl_asr.labelling.teachers import NetworkLabeller
from ssl_asr.models.model_files import load_model, made_from, model_id
from ssl_asr.models.systems import ALIGNERS, ModelName
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.inputs import model_inputs


def rounds(recipe: Recipe) -> Iterator[Round]:
    """Those whose networks the run holds and today's recipe and speech would give again.

    ValueError if a ledger entry or a network is damaged.
    """
    trained = read_trained(recipe.run, hmm_inputs(recipe)) if recipe.hmm.realign else None
    if trained is None:
        return
    senones = counted_senones(recipe.run, trained.phones, trained.table)
    for name in ALIGNERS[: recipe.hmm.realign]:
        if made_from(model_uri(recipe.run, name)) != model_inputs(recipe, name, senones):
            return
        found = round_of(recipe, name, senones)
        yield found
        senones = after(found)


def round_of(recipe: Recipe, name: ModelName, before: SenoneSet) -> Round:
    """The round of the finished network `name`."""
    return Round(recipe.run, before, replace(before, realigned_by=model_id(model_uri(recipe.run, name))))


def after(done: Round) -> SenoneSet:
    """What the round has made, with its counts."""
    return counted_senones(done.run, done.after.phones, done.after.table, done.after.realigned_by)


def shard_stages(recipe: Recipe, of: Round) -> list[ShardStage]:
    """Of the splits that every run aligns, and of the unlabeled speech for the topline."""
    mine = ShardStage(recipe, of.source, of.store, SPLITS, of.parents)
    return [mine, unlabeled_stage(recipe, of)] if recipe.evaluate.topline else [mine]


def unlabeled_stage(recipe: Recipe, of: Round) -> ShardStage:
    return ShardStage(recipe, of.source, of.store, (unlabeled_texts.SPLIT,), of.parents)


def load_job(recipe: Recipe, name: ModelName, before: SenoneSet) -> RealignJob:
    """With the network in memory, on one thread, so that sums are the same on every machine."""
    torch.set_num_threads(1)
    scores = _scores(recipe, name, before)
    return RealignJob(round_of(recipe, name, before), scores, mel_bins=recipe.frontend.mel_bins)


def _scores(recipe: Recipe, name: ModelName, before: SenoneSet) -> Scores:
    """Log posterior minus log prior, the prior being that of the alignments that the network was trained on.

    They raise a ValueError where the network gives no finite ones.
    """
    uri = model_uri(recipe.run, name)
    model, _ = load_model(uri)
    if recipe.cluster.use_gpu:
        model.cuda()
    labeller, priors = NetworkLabeller(model), before.log_priors()

    def scores(batch: Sequence[Frames]) -> list[Float32]:
        stacked = [torch.from_numpy(stack(frames).astype(np.float32)) for frames in batch]
        found = [each.cpu().numpy() - priors for each in labeller.log_probabilities(stacked)]
        if not all(np.isfinite(each).all() for each in found):
            raise ValueError(f"{uri} gives NaN or infinite scores; delete it, and it is trained again")
        return found

    return scores
