"""Decodes one slab with one system: its network and the search in its graph. `slabs.py` says what is kept of it."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ssl_asr.decoding.decoder import Decoder, DecodingGraph
from ssl_asr.decoding.graph_files import load_graph
from ssl_asr.decoding.posteriors import log_posteriors
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis, Slab, System, result_uri
from ssl_asr.frontend.stacking import stack, stack_labels
from ssl_asr.hmm.senones import SenoneSet, load_senones, log_shares
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.cohort_input import UNKNOWN
from ssl_asr.models.model_files import POSTERIOR_COUNTS, load_model
from ssl_asr.store import alignments, features, filesystem
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri


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
