"""Recognises one slab with one transducer. This is the unit of work; its result is stored and never made twice.

A result is one JSON file, `decoding/<key>/<transducer>/<split>/<shard>-<slab>.json`, where the key stands for the
model and its search. A transducer has no scale to tune.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis, Slab, SlabFlops, parse_decoded
from ssl_asr.frontend.stacking import stack
from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.length_batches import batches_of_like_length
from ssl_asr.recipe import TransducerSearch
from ssl_asr.store import features, filesystem
from ssl_asr.store.results_layout import transduced_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.compute import encoder_flops
from ssl_asr.transducer.fusion import NgramFusion
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer
from ssl_asr.transducer.ngram_files import load_ngram
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.words import EmittedWord, emitted_words, stream_times


@dataclass(frozen=True)
class TransducerSystem:
    """A transducer of the run with all that decides its words; `key` is a hash of all of it.

    `ngram` is the key of the n-gram that its search takes along; "" if there is none.
    """

    run: str
    name: str
    key: str
    mel_bins: int
    batch_frames: int
    search: TransducerSearch
    ngram: str = ""


def recognise_slab(system: TransducerSystem, slab: Slab) -> None:
    """Recognise the slab's utterances and keep the words; ValueError on a damaged shard."""
    torch.set_num_threads(1)
    model, pieces, fusion = _load(system)
    table = ShardStore(system.run, features.STORE).read_slab(slab.shard, slab.number)
    rows = features.decode(table, system.mel_bins)
    frames = [torch.from_numpy(stack(row.frames)).float() for row in rows]
    began = time.process_time()
    words: list[list[EmittedWord]] = [[] for _ in rows]
    for batch in batches_of_like_length([len(each) for each in frames], system.batch_frames):
        spoken = recognise(model, [frames[index] for index in batch], system.search, fusion)
        for index, (best, *_) in zip(batch, spoken, strict=True):
            words[index] = emitted_words(best, pieces)
    spent = round(time.process_time() - began, 3)
    said = zip(rows, frames, words, strict=True)
    found = tuple(_hypothesis(row.id, len(heard), each, model) for row, heard, each in said)
    flops = encoder_flops(model, frames)
    counted = SlabFlops(float(flops.spent_b.sum()), float(flops.whole_b.sum()))
    result = DecodedSlab(_parents(slab), spent, found, counted)
    filesystem.write_bytes(_uri(system, slab), json.dumps(asdict(result)).encode())


def _hypothesis(name: str, frames: int, words: Sequence[EmittedWord], model: TransducerModel) -> Hypothesis:
    encoder = model.encoder
    emitted = stream_times(words, encoder.look_ahead) if encoder.is_causal else ()
    return Hypothesis(name, tuple(each.word for each in words), frames, 0, 0, emitted=emitted)


def read_slab(system: TransducerSystem, slab: Slab) -> DecodedSlab | None:
    """The slab's words; None if there are none, or if they were made from other shards."""
    uri = _uri(system, slab)
    if not filesystem.exists(uri):
        return None
    found = parse_decoded(filesystem.read_bytes(uri))
    return found if found.parents == _parents(slab) else None


def _parents(slab: Slab) -> dict[str, str]:
    """Of features alone: a transducer needs no alignment."""
    return {"features": slab.parents["features"]}


def _uri(system: TransducerSystem, slab: Slab) -> str:
    return transduced_uri(system.run, system.key, system.name, slab.shard.name, slab.number)


@functools.lru_cache(maxsize=4)
def _load(system: TransducerSystem) -> tuple[TransducerModel, WordPieces, NgramFusion | None]:
    model, pieces, _ = load_transducer(model_uri(system.run, system.name))
    if not system.ngram:
        return model, pieces, None
    return model, pieces, NgramFusion(load_ngram(system.run, system.ngram, pieces), system.search)
