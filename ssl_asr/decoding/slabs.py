"""Decodes one slab with one system. This is the unit of work; its result is stored and never made twice.

A result is one JSON file, `decoding/<key>/<system>/kappa-<kappa>/<split>/<shard>-<slab>.json`, where the key stands
for the model, the graph and the search; inside, the parents say which shards it was made from. A prior scale other
than 1 is part of the folder's name, `kappa-<kappa>-prior-<scale>`.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.decoding.decoder import Decoder, DecodingGraph
from ssl_asr.decoding.graph_files import load_graph
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import FRAME_SECONDS, Scales, acoustic_scores
from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import SenoneSet, load_senones, log_shares
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.cohort_input import UNKNOWN
from ssl_asr.models.model_files import POSTERIOR_COUNTS, load_model
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.ledger import Shard
from ssl_asr.store.results_layout import decoded_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri


@dataclass(frozen=True)
class System:
    """A model of the run with all that decides its hypotheses but the scales; `key` is a hash of all of it.

    `told` has the speakers whose cohorts the model is told, with these; all others are unknown to it.
    """

    run: str
    name: str
    key: str
    graph: str
    alignment_set: str
    mel_bins: int
    beam: float
    max_active: int
    batch_frames: int
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Slab:
    """A row group of a feature shard; `parents` are the checksums of its features and, if any, alignments."""

    shard: Shard
    number: int
    parents: Mapping[str, str]


@dataclass(frozen=True)
class Hypothesis:
    """`frames` counts all 30 ms frames, `labelled` those with a label, `correct` those with the right best senone.

    If the utterance could not be decoded, `error` says why. `emitted` is when a streaming transducer puts out the
    last piece of each word, in seconds of the audio; others have none.
    """

    id: str
    words: tuple[str, ...]
    frames: int
    labelled: int
    correct: int
    error: str = ""
    emitted: tuple[float, ...] = ()


@dataclass(frozen=True)
class SlabFlops:
    """What a transducer's encoder computed for a slab, and what it would have with all its modules running."""

    spent: float
    whole: float


@dataclass(frozen=True)
class DecodedSlab:
    """`spent` is seconds of one core, for network and search; `flops` are counted of transducers alone."""

    parents: Mapping[str, str]
    spent: float
    hypotheses: tuple[Hypothesis, ...]
    flops: SlabFlops | None = None

    @property
    def seconds(self) -> float:
        return FRAME_SECONDS * sum(each.frames for each in self.hypotheses)


def result_uri(system: System, slab: Slab, scales: Scales) -> str:
    return decoded_uri(system.run, system.key, system.name, astuple(scales), slab.shard.name, slab.number)


def read_result(system: System, slab: Slab, scales: Scales) -> DecodedSlab | None:
    """The slab's result; None if there is none, or if it was made from other shards."""
    uri = result_uri(system, slab, scales)
    if not filesystem.exists(uri):
        return None
    found = parse_decoded(filesystem.read_bytes(uri))
    return found if found.parents == dict(slab.parents) else None


def parse_decoded(data: bytes) -> DecodedSlab:
    values = json.loads(data)
    found = tuple(_hypothesis(each) for each in values["hypotheses"])
    flops = values.get("flops")
    return DecodedSlab(values["parents"], values["spent"], found, flops and SlabFlops(**flops))


def _hypothesis(values: dict[str, Any]) -> Hypothesis:
    several = {name: tuple(values.get(name, ())) for name in ("words", "emitted")}
    return Hypothesis(**{**values, **several})


def decode_slab(system: System, slab: Slab, wanted: Sequence[Scales]) -> None:
    """Decode the slab's utterances with each of `wanted` and keep the results; ValueError on a damaged shard."""
    torch.set_num_threads(1)
    model, graph, log_priors = load_system(system)
    decoder = Decoder(graph, system.beam, system.max_active)
    rows = read_rows(system, slab)
    frames = [stack(row.frames) for row in rows]
    labels = _labels(system, slab)
    began = time.process_time()
    spent = dict.fromkeys(wanted, 0.0)
    found: dict[Scales, list[Hypothesis]] = {
        scales: [Hypothesis(row.id, (), len(each), 0, 0) for row, each in zip(rows, frames, strict=True)]
        for scales in wanted
    }
    cohorts = _cohorts(model, system, rows)
    for index, posteriors in log_posteriors(model, frames, system.batch_frames, cohorts):
        network = time.process_time() - began
        for scales in wanted:
            began = time.process_time()
            scored = acoustic_scores(posteriors, log_priors, scales)
            found[scales][index] = _decode(decoder, rows[index].id, scored, posteriors, labels.get(rows[index].id))
            spent[scales] += network + time.process_time() - began
        began = time.process_time()
    for scales in wanted:
        result = DecodedSlab(slab.parents, round(spent[scales], 3), tuple(found[scales]))
        filesystem.write_bytes(result_uri(system, slab, scales), json.dumps(asdict(result)).encode())


def _cohorts(model: AcousticModel, system: System, rows: Sequence[features.FeatureRow]) -> list[int] | None:
    """The numbers of the rows' cohorts; None where the model is told none."""
    if not system.told:
        return None
    assert model.spec.cohorts is not None, "a model that is told cohorts"
    numbers, told = model.spec.cohorts.numbers, dict(system.told)
    return [numbers.get(told.get(row.speaker, ""), UNKNOWN) for row in rows]


def read_rows(system: System, slab: Slab) -> list[features.FeatureRow]:
    """The slab's features; ValueError on a damaged shard."""
    return features.decode(ShardStore(system.run, features.STORE).read_slab(slab.shard, slab.number), system.mel_bins)


def _decode(
    decoder: Decoder,
    utterance: str,
    scores: npt.NDArray[np.float32],
    posteriors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint16] | None,
) -> Hypothesis:
    known = 0 if labels is None else min(len(labels), len(posteriors))
    correct = 0 if labels is None else int((posteriors[:known].argmax(1) == labels[:known]).sum())
    try:
        words, error = tuple(decoder.decode(scores)), ""
    except ValueError as problem:
        words, error = (), str(problem)
    return Hypothesis(utterance, words, len(posteriors), known, correct, error)


def _labels(system: System, slab: Slab) -> dict[str, npt.NDArray[np.uint16]]:
    """30 ms labels of the slab's aligned utterances; none if the split is not aligned."""
    if "alignments" not in slab.parents:
        return {}
    store = ShardStore(system.run, alignments.store_name(system.alignment_set))
    aligned = alignments.decode(store.read_slab(slab.shard, slab.number))
    return {name: stack_labels(senones) for name, senones in aligned.items()}


# A worker decodes many slabs, so it caches what it has loaded, for all systems of an evaluation.
@functools.lru_cache(maxsize=8)
def load_system(system: System) -> tuple[AcousticModel, DecodingGraph, npt.NDArray[np.float32]]:
    """The network, the graph and the log priors [senones]."""
    model, about = load_model(model_uri(system.run, system.name))
    return model, _graph(system.run, system.graph), log_priors_of(about, load_senones(system.run))


def log_priors_of(about: Mapping[str, Any], senones: SenoneSet) -> npt.NDArray[np.float32]:
    """[senones], of a model of which `load_model` says `about`: its own after sequence training."""
    counts = about.get(POSTERIOR_COUNTS)
    return log_shares(np.array(counts)) if counts else senones.log_priors()


@functools.lru_cache(maxsize=1)
def _graph(run: str, key: str) -> DecodingGraph:
    return load_graph(run, key)
