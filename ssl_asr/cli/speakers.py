"""`ssl-asr speakers RUN`: speaker embeddings of a run's utterances, and how well they tell speakers apart."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from ssl_asr.cli.values import at_least, whole

if TYPE_CHECKING:
    from ssl_asr.recipe import Recipe
    from ssl_asr.speakers.extracting import Workers
    from ssl_asr.speakers.pool import PoolSettings
    from ssl_asr.speakers.settings import TrainingSettings

# Name of an option, its default, the least value, and what it counts.
_COUNTS = (
    ("batch-speakers", 16, 2, "speakers of a batch"),
    ("batch-utterances", 4, 2, "utterances of each"),
    ("steps", 1000, 1, "batches to train on"),
    ("pretrain", 250, 0, "first batches, in which all weights are equal"),
    ("clusters", 8, 2, "regions of the embeddings that an adversary is told"),
    ("layers", 2, 1, "LSTM layers"),
    ("units", 128, 1, "cells of a layer"),
    ("dimensions", 64, 2, "of an embedding"),
    ("enrolled", 3, 1, "utterances by which a test speaker is known"),
    ("seed", 1, 0, "of everything that is drawn"),
    ("workers", 1, 1, "that train at once, on Ray"),
)


def add_command(commands: Any) -> None:
    """To the commands of the program."""
    does = "makes speaker embeddings of a run's utterances, and verifies its test speakers by them"
    command = commands.add_parser("speakers", description=f"speakers: {does}.", help=does)
    command.add_argument("recipe", metavar="RUN", help="a run that has features")
    command.add_argument("--name", type=_name, help="of the extractor in the run; default: own")
    command.add_argument(
        "--import",
        dest="wheel",
        metavar="FILE",
        help="take Resemblyzer's network instead of training one: its wheel or the pretrained.pt in it",
    )
    command.add_argument(
        "--groups", metavar="TAG", help="a tag: rates are told for each of its values, and the gap between them"
    )
    embedded = "splits whose utterances get embeddings beside those of test; `adapt` wants labeled,unlabeled,dev"
    command.add_argument("--embed", type=_splits, default=(), metavar="SPLITS", help=embedded)
    _add_training(command)
    for name, default, least, what in _COUNTS:
        command.add_argument(
            f"--{name}", type=whole(least, 10**7), default=default, metavar="N", help=f"{what}; default: {default}"
        )


def _add_training(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--loss",
        choices=["ge2e", "pairs", "aam"],
        default="ge2e",
        help="generalised end-to-end; contrastive over pairs of utterances; or classification of the training "
        "speakers with an additive angular margin; default: ge2e",
    )
    command.add_argument(
        "--reweighting",
        choices=["none", "groups", "similarity", "clusters", "pairs"],
        default="none",
        help="weights in the loss: equal; by group-DRO over --groups; or by an adversary that knows no groups, from "
        "embeddings (similarity), k-means regions (clusters), or both, for pairs (pairs); default: none",
    )
    command.add_argument(
        "--strategy",
        choices=["dense", "bmuf", "gtc"],
        default="dense",
        help="how workers agree, as sync.strategy of a recipe; default: dense: a step is of the mean of a batch "
        "of each worker",
    )
    command.add_argument(
        "--train",
        type=_splits,
        default=("labeled", "unlabeled"),
        metavar="SPLITS",
        help="splits to train on; default: labeled,unlabeled",
    )
    command.add_argument(
        "--hours", type=at_least(0.01), default=20.0, metavar="N", help="to train on, held in memory; default: 20"
    )


def run(options: argparse.Namespace) -> None:
    """Trains what is not trained, writes embeddings into the run and prints verification results.

    ValueError in one sentence where the run's speech is not enough.
    """
    from ssl_asr.runtime.run_directory import open_recipe
    from ssl_asr.speakers.embedders import embed_splits, embedder_of
    from ssl_asr.speakers.resemblyzer import import_resemblyzer
    from ssl_asr.speakers.table import format_verification
    from ssl_asr.speakers.trials import TrialSettings
    from ssl_asr.speakers.verified_run import verify_speakers
    from ssl_asr.store.speakers_layout import DEFAULT_EXTRACTOR

    recipe, name = open_recipe(options.recipe), options.name or DEFAULT_EXTRACTOR
    if options.wheel is not None:
        import_resemblyzer(recipe.run, name, options.wheel)
        print(f"extractor '{name}' is Resemblyzer's", flush=True)
    else:
        pooled = _pooled(options)
        if said := _without_group(recipe, pooled):
            print(said, flush=True)
        print(_train(recipe, name, pooled, _settings(options), _workers(options)), flush=True)
    splits = dict.fromkeys(["test", *options.embed])
    embed_splits(recipe.run, name, embedder_of(recipe, name), list(splits))
    trials = TrialSettings(enrolled=options.enrolled, seed=options.seed)
    print(format_verification(verify_speakers(recipe, name, options.groups, trials)))


def _train(recipe: Recipe, name: str, pooled: PoolSettings, settings: TrainingSettings, workers: Workers) -> str:
    from ssl_asr.speakers.extracting import train_extractor

    found = train_extractor(recipe, name, pooled, settings, workers)
    single = f"; {found.single:,} speakers with one utterance were left out" if found.single else ""
    several = f"; {found.several:,} who may be several people each were left out" if found.several else ""
    return (
        f"extractor '{name}' {'is up to date' if found.kept else 'was trained'}: {found.utterances:,} utterances of "
        f"{found.speakers:,} speakers, last loss {found.loss:.3f}{single}{several}"
    )


def _without_group(recipe: Recipe, pooled: PoolSettings) -> str:
    """A sentence about those whom group-DRO does not heed; "" where there are none, or it is not asked for."""
    from ssl_asr.speakers.pool import ungrouped

    found = None if pooled.group_tag is None else ungrouped(recipe, pooled)
    if found is None or not found.no_utterances:
        return ""
    return (
        f"{found.no_speakers:,} of {found.speakers:,} speakers, and {found.no_utterances:,} of {found.utterances:,} "
        f"utterances, have no tag '{pooled.group_tag}': after the first batches (--pretrain) their weight is 0, so "
        "nothing is learned from them"
    )


def _pooled(options: argparse.Namespace) -> PoolSettings:
    from ssl_asr.speakers.pool import PoolSettings

    tag = options.groups if options.reweighting == "groups" else None
    return PoolSettings(splits=options.train, most_hours=options.hours, group_tag=tag, seed=options.seed)


def _workers(options: argparse.Namespace) -> Workers:
    from ssl_asr.speakers.extracting import Workers

    return Workers(options.workers, options.strategy)


def _settings(options: argparse.Namespace) -> TrainingSettings:
    from ssl_asr.speakers.batches import BatchShape
    from ssl_asr.speakers.settings import TrainingSettings

    return TrainingSettings(
        loss=options.loss,
        reweighting=options.reweighting,
        layers=options.layers,
        units=options.units,
        dimensions=options.dimensions,
        shape=BatchShape(options.batch_speakers, options.batch_utterances),
        steps=options.steps,
        pretrain_steps=options.pretrain,
        clusters=options.clusters,
        seed=options.seed,
    )


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no name; use letters, digits, '-' and '_'")
    return text


def _splits(text: str) -> tuple[str, ...]:
    from ssl_asr.store.utterance import SPLITS

    found = tuple(dict.fromkeys(text.split(",")))
    if not {*found} <= {*SPLITS}:
        raise argparse.ArgumentTypeError(f"'{text}' names no splits; give some of {','.join(SPLITS)}")
    return found
