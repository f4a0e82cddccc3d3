"""One slab for the flat start: its clean labeled utterances, as cepstra and graphs of their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.cepstra import cepstra
from ssl_asr.hmm.imported import read_imported
from ssl_asr.hmm.phone_times import PhoneTimes
from ssl_asr.hmm.transcripts import least_frames, transcript_graph, usual_path
from ssl_asr.hmm.viterbi import graph_states
from ssl_asr.lang.lexicon import Lexicon, read_lexicon
from ssl_asr.store import features, utterance
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

_KEPT = 256  # chunks that a worker process keeps between iterations


@dataclass(frozen=True)
class ChunkSource:
    """One slab of features of a run; with the checksums, a changed file, lexicon or import is another source."""

    run: str
    shard: Shard
    slab: int
    mel_bins: int
    features: str
    lexicon: str
    imported: str = ""


@dataclass(frozen=True)
class Transcribed:
    """An utterance ready to align: cepstra [T, 13], graph of its text, all `states` in it, its usual `path`.

    `known` are the states of its frames [T] by an imported alignment, if it has one.
    """

    id: str
    cepstra: npt.NDArray[np.float32]
    graph: Any
    states: npt.NDArray[np.int32]
    path: npt.NDArray[np.int32]
    known: npt.NDArray[np.int32] | None = None


def transcribe(
    frames: npt.NDArray[np.floating], spoken: Utterance, lexicon: Lexicon, times: PhoneTimes | None = None
) -> Transcribed | str:
    """`spoken` with its features [T, mel bins] ready to align, or a sentence that says why it can't be aligned.

    `times` are those of its imported alignment, if it has one; ValueError if they are not of these features.
    """
    words = (spoken.text or "").split()
    unknown = lexicon.unknown(words)
    if not words:
        return "its text is empty; write the spoken words"
    if unknown:
        return f"no pronunciation for {', '.join(unknown)}; correct the text, or see hmm.lexicon and hmm.g2p_words"
    known = None if times is None else times.states()
    if known is not None and len(known) != len(frames):
        raise ValueError(f"the imported alignment of {spoken.id} is of other features; run the hmm stage again")
    if known is None and (least := least_frames(words, lexicon)) > len(frames):
        return f"{len(frames)} frames of 10 ms are too few for its text, which needs {least}"
    graph = transcript_graph(words, lexicon)
    return Transcribed(spoken.id, cepstra(frames), graph, graph_states(graph), usual_path(words, lexicon), known)


def manifest(run: str, shard: Shard) -> Mapping[str, Utterance]:
    """The utterances of a shard by id."""
    spoken = utterance.decode(ShardStore(run, utterance.STORE).read(shard))
    return {each.id: each for each in spoken}


def load_chunk(source: ChunkSource) -> Sequence[Transcribed]:
    """The clean utterances of a slab that can be aligned; with imported alignments, those that have one.

    ValueError if the shard is damaged, or the import has changed.
    """
    return _chunk(source, may_be_damaged=False)


def readable_chunk(source: ChunkSource) -> Sequence[Transcribed]:
    """As `load_chunk`, but nothing of a damaged shard: its alignment job rejects it, with the reason."""
    return _chunk(source, may_be_damaged=True)


@lru_cache(maxsize=_KEPT)  # every iteration needs them
def _chunk(source: ChunkSource, may_be_damaged: bool) -> Sequence[Transcribed]:
    lexicon = _lexicon(source.run, source.lexicon)
    imported = read_imported(source.run, source.shard.number, source.imported)
    try:
        spoken, rows = manifest(source.run, source.shard), _clean_rows(source)
    except ValueError:
        if may_be_damaged:
            return []
        raise
    ready = []
    for row in rows:
        times = None if imported is None else imported.get(row.id)
        if imported is None or times is not None:
            ready.append(transcribe(row.frames, spoken[row.id], lexicon, times))
    return [one for one in ready if isinstance(one, Transcribed)]


def _clean_rows(source: ChunkSource) -> list[FeatureRow]:
    table = ShardStore(source.run, features.STORE).read_slab(source.shard, source.slab)
    return [row for row in features.decode(table, source.mel_bins) if row.condition == utterance.CLEAN]


@lru_cache(maxsize=2)
def _lexicon(run: str, checksum: str) -> Lexicon:
    """The run's lexicon; `checksum` makes a rewritten lexicon another cache entry."""
    return read_lexicon(run)
