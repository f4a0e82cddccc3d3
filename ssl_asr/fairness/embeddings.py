"""Speaker embeddings: those that `ssl-asr speakers` wrote into a run, or an .npz of `ids` and `vectors`."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.scored_table import Int, ScoredTable, Speakers
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum_of
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings, all_speaker_embeddings
from ssl_asr.store.speakers_layout import DEFAULT_EXTRACTOR, embeddings_folder


@dataclass(frozen=True)
class Embeddings:
    """`vectors` [n, d] of `ids`: of utterances, of recordings or of speakers."""

    uri: str
    ids: list[str]
    vectors: Float

    @property
    def checksum(self) -> str:
        """Of ids and vectors; embeddings are stored as float32."""
        return checksum_of(["\n".join(self.ids).encode(), self.vectors.astype(np.float32).tobytes()])


def read_embeddings(uri: str) -> Embeddings:
    """ValueError in one sentence where the file is none or its content can't be used."""
    try:
        with np.load(io.BytesIO(filesystem.read_bytes(uri)), allow_pickle=False) as file:
            ids, vectors = file["ids"], file["vectors"]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if not filesystem.exists(uri):
            raise ValueError(f"there is no {uri}; name an .npz of `ids` and `vectors`") from None
        raise ValueError(f"{uri} is no .npz of `ids` (text) and `vectors` ({' '.join(str(error).split())})") from None
    if ids.ndim != 1 or ids.dtype.kind != "U" or len({*ids.tolist()}) != len(ids):
        raise ValueError(f"{uri}: `ids` must be a row of texts, each once")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or len(vectors) != len(ids) or not vectors.shape[1]:
        raise ValueError(f"{uri}: `vectors` must be floats, one row of them for each of the {len(ids)} ids")
    if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise ValueError(f"{uri}: a vector has values that are not finite, or is all zero; make the embeddings anew")
    return Embeddings(uri, ids.tolist(), vectors.astype(np.float64))


def embeddings_of_run(run: str, name: str) -> Embeddings:
    """Of test utterances, by the run's extractor of this name, "" for the default one. ValueError without any."""
    name = name or DEFAULT_EXTRACTOR
    found = all_speaker_embeddings(run, name, "test")
    if found is None:
        raise ValueError(
            f"{run} has no speaker embeddings of the extractor '{name}'; run `ssl-asr speakers RUN --name {name}` "
            "first, or give embeddings:FILE"
        )
    return Embeddings(embeddings_folder(run, name), list(found.ids), found.vectors.astype(np.float64))


def speaker_vectors(embeddings: Embeddings, table: ScoredTable, speakers: Speakers) -> tuple[Int, Float]:
    """The rows of the speakers that have an embedding, and their vectors [rows, d] of length 1.

    A speaker's vector is the mean of the speaker's, each scaled to length 1 before, as for a distance by cosine.
    """
    lengths = np.linalg.norm(embeddings.vectors, axis=1, keepdims=True)
    known = dict(zip(embeddings.ids, embeddings.vectors / lengths, strict=True))
    rows, vectors = [], []
    for row, (name, places) in enumerate(zip(speakers.names, speakers.utterances, strict=True)):
        scored = [table.utterances[place].scored for place in places]
        keys = dict.fromkeys([name, *(key for each in scored for key in (each.id, each.recording))])
        found = [known[key] for key in keys if key in known]
        mean = np.mean(found, axis=0) if found else np.zeros(1)
        if mean.any():
            rows.append(row)
            vectors.append(mean / np.linalg.norm(mean))
    if not rows:
        raise ValueError(
            f"{embeddings.uri} has no utterance and no speaker of {table.source}; "
            f"its ids are like '{embeddings.ids[0] if embeddings.ids else ''}'"
        )
    return np.array(rows), np.array(vectors)


def mean_vectors(embedded: SpeakerEmbeddings) -> tuple[list[str], Float]:
    """Speakers, by name, and their vectors [speakers, d]: the means of their utterances', of length 1 as these."""
    names, numbers = np.unique(np.array(embedded.speakers), return_inverse=True)
    sums = np.zeros((len(names), embedded.vectors.shape[1]))
    np.add.at(sums, numbers, embedded.vectors.astype(np.float64))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return names.tolist(), sums / np.maximum(lengths, 1e-12)
