"""Bytes of every store of a run."""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.models.systems import ALIGNERS, MODELS, REALIGN, TEACHER, final_name, settings_of, stage_of, trained
from ssl_asr.planning.compute import FRAMES_AN_HOUR, NetworkSize, student_network, teacher_network
from ssl_asr.planning.facts import Facts
from ssl_asr.planning.network import moments
from ssl_asr.planning.numbers import number
from ssl_asr.planning.speech import Speech
from ssl_asr.recipe import Optimiser, Recipe, Sync

FAST_FRAMES_AN_HOUR = 3600 / 0.01  # of 10 ms
KEPT_CHECKPOINTS = 2


@dataclass(frozen=True)
class Store:
    name: str
    bytes: float
    formula: str
    source: str


def stores(recipe: Recipe, speech: Speech, facts: Facts, workers: int) -> list[Store]:
    return [*_shards(recipe, speech, facts), *_weights(recipe, workers)]


def _shards(recipe: Recipe, speech: Speech, facts: Facts) -> list[Store]:
    # A network that aligns again writes a set of its own.
    aligned = speech.aligned(recipe) * (1 + recipe.hmm.realign)
    features, alignments, targets = facts.feature_bytes, facts.alignment_bytes, facts.target_bytes
    utterances = speech.stored * 3600 / facts.utterance_seconds.value
    entries = _entries(recipe, speech)
    return [
        Store(
            "features",
            speech.stored * FAST_FRAMES_AN_HOUR * features.value,
            f"{number(speech.stored)} h x 360,000 frames x {number(features.value)} bytes",
            features.source,
        ),
        Store(
            "alignments",
            aligned * FAST_FRAMES_AN_HOUR * alignments.value,
            f"{number(aligned)} h x 360,000 frames x {alignments.value:.3g} bytes",
            alignments.source,
        ),
        Store(
            "targets",
            speech.recorded_unlabeled.value * FRAMES_AN_HOUR * targets.value,
            f"{number(speech.recorded_unlabeled.value)} h x 120,000 frames x {targets.value:.4g} bytes",
            targets.source,
        ),
        Store(
            "manifest",
            utterances * facts.manifest_bytes.value,
            f"{number(utterances)} utterances x {facts.manifest_bytes.value:.3g} bytes",
            f"{facts.manifest_bytes.source}; {facts.utterance_seconds.value:.2g} s an utterance, "
            f"{facts.utterance_seconds.source}",
        ),
        Store(
            "ledger",
            entries * facts.ledger_bytes.value,
            f"{number(entries)} entries x {number(facts.ledger_bytes.value)} bytes",
            facts.ledger_bytes.source,
        ),
    ]


def _entries(recipe: Recipe, speech: Speech) -> float:
    """One entry for each shard of each store: manifest, features, and alignments or targets."""
    return 3 * speech.stored * 60 / recipe.corpus.shard_minutes


def _weights(recipe: Recipe, workers: int) -> list[Store]:
    wanted = (*ALIGNERS[: recipe.hmm.realign], *trained(recipe))
    models = [each for name in wanted for each in dict.fromkeys((name, final_name(recipe, name)))]
    taught = (REALIGN, TEACHER)
    networks = [teacher_network(recipe) if stage_of(name) in taught else student_network(recipe) for name in models]
    numbers = [_checkpoint(recipe, name, network, workers) for name, network in zip(models, networks, strict=True)]
    each = " + ".join(f"{count / 1e6:.3g} M" for count in numbers)
    saved = [model_bytes(network) for network in networks]
    return [
        Store(
            "checkpoints",
            KEPT_CHECKPOINTS * 4 * sum(numbers),
            f"{KEPT_CHECKPOINTS} kept x 4 bytes x ({each}) numbers",
            "formula: BMUF theta and delta, GTC theta and a residual a worker, dense theta; the optimiser's moments",
        ),
        Store(
            "models",
            sum(saved),
            f"4 bytes x ({' + '.join(f'{size / 4e6:.3g} M' for size in saved)}) parameters",
            f"formula: float32, {', '.join(models[:-1])} and {models[-1]}, each with mean and scale of its inputs",
        ),
    ]


def _checkpoint(recipe: Recipe, name: str, network: NetworkSize, workers: int) -> int:
    settings = settings_of(recipe, name)
    part = settings if name in (*ALIGNERS, *MODELS) else settings.sequence
    return checkpoint_numbers(network, part.optimiser, part.sync, workers)


def checkpoint_numbers(network: NetworkSize, optimiser: Optimiser, sync: Sync, workers: int) -> int:
    """Count of float32 numbers in one checkpoint."""
    forgotten = sync.strategy == "bmuf" and sync.optimiser_state == "reset"
    copies = {"bmuf": 2, "gtc": 1 + workers, "dense": 1}[sync.strategy]
    return network.parameters * (copies + (0 if forgotten else moments(optimiser)))


def model_bytes(network: NetworkSize) -> int:
    return 4 * (network.parameters + 2 * network.inputs)
