"""Speaker embeddings of utterances as recorded: a Parquet file for each shard, beside the run's stores.

They are personal data, as the speech is that they were made from: they stay in the run, with its permissions.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ssl_asr.store import filesystem
from ssl_asr.store.retry import retried
from ssl_asr.store.speakers_layout import embeddings_folder

SCHEMA = pa.schema([("id", pa.string()), ("speaker", pa.string()), ("embedding", pa.list_(pa.float32()))])
_MADE_FROM = b"ssl_asr.made_from"


@dataclass(frozen=True)
class SpeakerEmbeddings:
    """Utterances, their speakers, and `vectors` float32 [utterances, d] of length 1."""

    ids: Sequence[str]
    speakers: Sequence[str]
    vectors: npt.NDArray[np.float32]


def write_speaker_embeddings(uri: str, embeddings: SpeakerEmbeddings, made_from: Mapping[str, str]) -> None:
    """Publish a shard's; `made_from` names the extractor and the content of the shard."""
    columns = [list(embeddings.ids), list(embeddings.speakers), list(embeddings.vectors)]
    footer = {_MADE_FROM: json.dumps(dict(made_from), sort_keys=True).encode()}
    table = pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA.with_metadata(footer))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    filesystem.write_bytes(uri, buffer.getvalue())


@retried
def read_speaker_embeddings(uri: str) -> SpeakerEmbeddings:
    """ValueError naming the file if it is damaged."""
    try:
        table = pq.read_table(pa.BufferReader(filesystem.read_bytes(uri)), schema=SCHEMA)
    except pa.ArrowException as error:
        raise ValueError(_damaged(uri, error)) from error
    vectors = table["embedding"].combine_chunks()
    width = len(vectors[0]) if len(vectors) else 0
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(vectors) * width:
        raise ValueError(_damaged(uri, "vectors of several widths"))
    return SpeakerEmbeddings(table["id"].to_pylist(), table["speaker"].to_pylist(), flat.reshape(len(vectors), width))


def _damaged(uri: str, why: object) -> str:
    return f"{uri} is not a whole file of speaker embeddings ({why}); delete it and run `ssl-asr speakers` again"


def embeddings_made_from(uri: str) -> Mapping[str, str] | None:
    """What the file at `uri` was made from; None where there is none, or a damaged one."""
    if not filesystem.exists(uri):
        return None
    try:
        schema = pq.read_schema(pa.BufferReader(filesystem.read_bytes(uri)))
    except pa.ArrowException:
        return None
    found: Mapping[str, str] = json.loads((schema.metadata or {}).get(_MADE_FROM, b"{}"))
    return found


def all_speaker_embeddings(run: str, name: str, split: str) -> SpeakerEmbeddings | None:
    """Of a split's shards, in their order; None where there are none. ValueError as `read_speaker_embeddings`."""
    uris = filesystem.list_files(embeddings_folder(run, name, split), ".parquet")
    parts = [each for each in map(read_speaker_embeddings, uris) if each.ids]
    if not parts:
        return None
    widths = {each.vectors.shape[1] for each in parts}
    if len(widths) > 1:
        raise ValueError(f"the embeddings '{name}' of {run} are of several extractors; run `ssl-asr speakers` again")
    return SpeakerEmbeddings(
        [name for each in parts for name in each.ids],
        [name for each in parts for name in each.speakers],
        np.concatenate([each.vectors for each in parts]),
    )
