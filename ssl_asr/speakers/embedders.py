"""Embeddings of a run's utterances, shard by shard; a shard whose embeddings are up to date is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.audio import SegmentReader
from ssl_asr.frontend.stacking import STACK, stack
from ssl_asr.models.model_files import model_id
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.speakers.embedding import embed
from ssl_asr.speakers.extractor import SpeakerExtractor, load_extractor
from ssl_asr.speakers.pool import LEAST_FRAMES
from ssl_asr.speakers.resemblyzer import EMBEDDING_WIDTH, ResemblyzerNetwork, embed_speech, load_resemblyzer
from ssl_asr.speakers.resemblyzer import KIND as RESEMBLYZER
from ssl_asr.speakers.resemblyzer_mel import SAMPLE_RATE
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings, embeddings_made_from, write_speaker_embeddings
from ssl_asr.store.speakers_layout import embeddings_folder, embeddings_uri, extractor_uri
from ssl_asr.store.utterance import CLEAN, Utterance
from ssl_asr.store.weights import read_description

LEAST_SECONDS = LEAST_FRAMES * STACK * features.FRAME_SECONDS


class Embedder(Protocol):
    """`id` changes with all that changes an embedding, but for the features of the shard."""

    @property
    def id(self) -> str: ...

    def embed(self, shard: Shard) -> SpeakerEmbeddings:
        """Of the shard's utterances as recorded, without those that are too short."""
        ...


@dataclass(frozen=True)
class FeatureEmbedder:
    """The run's own extractor, from its features."""

    recipe: Recipe
    model: SpeakerExtractor
    id: str

    def embed(self, shard: Shard) -> SpeakerEmbeddings:
        ids, speakers, vectors = list[str](), list[str](), [np.zeros((0, self.model.spec.dimensions), np.float32)]
        for slab in ShardStore(self.recipe.run, features.STORE).read_slabs(shard):
            rows = [row for row in features.decode(slab, self.recipe.frontend.mel_bins) if row.condition == CLEAN]
            heard = [(row, frames) for row in rows if len(frames := stack(row.frames)) >= LEAST_FRAMES]
            ids += [row.id for row, _ in heard]
            speakers += [row.speaker for row, _ in heard]
            vectors.append(embed(self.model, [frames for _, frames in heard]))
        return SpeakerEmbeddings(ids, speakers, np.concatenate(vectors))


@dataclass(frozen=True)
class ResemblyzerEmbedder:
    """Resemblyzer's network, from the audio of the utterances that have features, at 16 kHz.

    ValueError in one sentence where audio can't be read any more.
    """

    recipe: Recipe
    model: ResemblyzerNetwork
    id: str

    def embed(self, shard: Shard) -> SpeakerEmbeddings:
        usable = {*ShardStore(self.recipe.run, features.STORE).read(shard, ["id"])["id"].to_pylist()}
        found: list[tuple[Utterance, npt.NDArray[np.float32]]] = []
        with SegmentReader(pipes=self.recipe.corpus.pipes) as reader:
            for each in utterance.decode(ShardStore(self.recipe.run, utterance.STORE).read(shard)):
                if each.id in usable and each.condition == CLEAN and each.duration >= LEAST_SECONDS:
                    place = (each.audio, each.offset, each.duration, each.channel)
                    vector = embed_speech(self.model, reader.read(*place, SAMPLE_RATE))
                    found += [] if vector is None else [(each, vector)]
        vectors = [np.zeros((0, EMBEDDING_WIDTH), np.float32), *(vector[None] for _, vector in found)]
        return SpeakerEmbeddings(
            [each.id for each, _ in found], [each.speaker for each, _ in found], np.concatenate(vectors)
        )


def embedder_of(recipe: Recipe, name: str) -> Embedder:
    """By the run's extractor of this name."""
    uri = extractor_uri(recipe.run, name)
    if read_description(uri).get("kind") == RESEMBLYZER:
        return ResemblyzerEmbedder(recipe, load_resemblyzer(uri), model_id(uri))
    return FeatureEmbedder(recipe, load_extractor(uri)[0], model_id(uri))


def embed_splits(run: str, name: str, embedder: Embedder, splits: Sequence[str]) -> int:
    """Writes the embeddings of these splits into the run; returns how many shards were made anew.

    ValueError where the run has no speech of a split.
    """
    store = ShardStore(run, features.STORE)
    shards = [shard for split in splits for shard in _shards(store, split)]
    made = 0
    progress = Progress("speakers", len(shards), "shards")
    for shard in shards:
        uri, made_from = embeddings_uri(run, name, shard.name), _made_from(embedder.id, store, shard)
        if embeddings_made_from(uri) != made_from:
            write_speaker_embeddings(uri, embedder.embed(shard), made_from)
            made += 1
        progress.advance()
    for split in splits:
        _delete_others(run, name, split, [shard for shard in shards if shard.split == split])
    return made


def are_embedded(run: str, name: str, split: str) -> bool:
    """Whether all of the split's speech has embeddings by today's extractor of this name."""
    uri, store = extractor_uri(run, name), ShardStore(run, features.STORE)
    extractor = model_id(uri) if filesystem.exists(uri) else ""
    return bool(extractor) and all(
        embeddings_made_from(embeddings_uri(run, name, shard.name)) == _made_from(extractor, store, shard)
        for shard in store.shards(split)
    )


def _shards(store: ShardStore, split: str) -> list[Shard]:
    found = store.shards(split)
    if not found:
        raise ValueError(
            f"{store.root} has no {split} speech in its {store.name}; run the stages before, or name other splits"
        )
    return found


def _made_from(extractor: str, store: ShardStore, shard: Shard) -> dict[str, str]:
    entry = store.entry(shard)
    assert entry is not None, "shards are listed by their entries"
    return {"extractor": extractor, store.name: entry.checksum}


def _delete_others(run: str, name: str, split: str, kept: Sequence[Shard]) -> None:
    """Of shards that the split has no more."""
    wanted = {embeddings_uri(run, name, shard.name) for shard in kept}
    for uri in filesystem.list_files(embeddings_folder(run, name, split), ".parquet"):
        if uri not in wanted:
            filesystem.delete(uri)
