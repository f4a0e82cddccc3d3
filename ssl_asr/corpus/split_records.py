"""What the corpus stage keeps of each split that it has listed: `corpus/splits/<split>.json`.

The record is written last. It names what the listing was made from. So a split is listed again where that has
changed, and no other split is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import changed_audio
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.shuffle import buckets_store, pieces_store, sentence_files
from ssl_asr.corpus.sources import OPEN_SPEECH, SourceLists, fingerprint, is_trusted, listed
from ssl_asr.lang.language import AMERICAN_ENGLISH, language_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, Product, digest, non_defaults
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import split_record_uri
from ssl_asr.store.layout import FEATURES, MANIFEST
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.shards import ShardStore

# Of a split: raise where equal sources give another listing of it.
VERSIONS: Mapping[str, str] = {"labeled": "2", "unlabeled": "4", "dev": "3", "test": "4"}
LOOKED_AT = 100  # shards, at most, whose first audio file must exist
_OPEN: Mapping[str, Product] = {
    "labeled": "open-labeled",
    "unlabeled": "open-unlabeled",
    "dev": "open-dev",
    "test": "open-test",
}
_SPLIT: Mapping[str, Product] = {"labeled": "labeled", "unlabeled": "unlabeled", "dev": "dev", "test": "test"}


@dataclass(frozen=True)
class SplitRecord:
    """`utterances` and `seconds` count clean recordings, not their degraded copies. `source` is for a person.

    `content` tells its shards from others. `open_id` tells which open speech the split was cut from; it is empty for
    another source. `rates` are seconds by the sampling rate of the files, of a source of one's own, and
    `estimated_rates` those of files that were not opened, told from a few. `cut` counts recordings that were cut by
    voice activity, as `segment_job.CutCounts`; `segments_again` of its segments are among the rejects, as their ids
    were used before.
    """

    inputs: Inputs
    source: str
    shards: int
    utterances: int
    seconds: float
    speakers: int
    open_id: str = ""
    content: str = ""
    rejected: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    cut: Mapping[str, float] = field(default_factory=dict)
    segments_again: int = 0
    estimated_rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def rejected_and_listed(self) -> tuple[int, int]:
        """Entries of the list: those that were rejected, and all. The segments of a recording count as one."""
        segments, recordings = self.cut.get("segments", 0), self.cut.get("recordings", 0)
        more = 1 - recordings / segments if segments else 0.0  # of each segment
        rejected = self.rejected - more * self.segments_again
        return round(rejected), round(rejected + self.utterances - more * (segments - self.segments_again))


def split_inputs(recipe: Recipe, split: str, lists: SourceLists | None = None) -> dict[str, str]:
    """What the listing of `split` depends on.

    Of a source of one's own these are the files that list it, and audio files that have changed since. Once these are
    listed again they are no part of it: the record of a split has no "audio".
    """
    source = recipe.corpus.source_of(split)
    inputs = {"version": VERSIONS[split], **non_defaults(recipe, _SPLIT[split])}
    if source == OPEN_SPEECH:
        return inputs | non_defaults(recipe, _OPEN[split])
    if (code := language_of(recipe.hmm.lexicon).code) != AMERICAN_ENGLISH.code:
        inputs["hmm.lexicon"] = code
    pieces = listed(source, lists)
    if pieces is not None:
        return inputs | {"source": fingerprint(pieces)} | _changed_audio(recipe.run, split, pieces)
    # A run goes on where its speech is not, for nothing reads it once there are features.
    record = read_record(recipe.run, split)
    return inputs | {"source": record.inputs.get("source", "") if record is not None else ""}


def _changed_audio(run: str, split: str, pieces: Sequence[Piece]) -> dict[str, str]:
    new = changed_audio(run, split, [piece.name for piece in pieces])
    return {"audio": digest([f"{piece} {change}" for piece, change in new.items()])} if new else {}


def split_rejects(run: str, split: str) -> Iterator[Reject]:
    """What reading and cutting of the split has left out, in the order of its pieces."""
    for store in (pieces_store(run), buckets_store(run)):
        yield from store.each_reject(split)


def named_rejects(run: str, split: str) -> Iterator[Reject]:
    """The same with the split in their ids, for a person."""
    return (Reject(f"{split}/{each.id}", each.reason) for each in split_rejects(run, split))


def read_record(run: str, split: str) -> SplitRecord | None:
    """None where the split has not been listed to the end; ValueError naming a damaged file."""
    uri = split_record_uri(run, split)
    if not filesystem.exists(uri):
        return None
    try:
        values = json.loads(filesystem.read_bytes(uri))
        if "rejects" in values:  # of a record of an earlier version
            values["rejected"] = len(values.pop("rejects"))
        return SplitRecord(**values)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{uri} is damaged ({error}); delete it and run the corpus stage again") from error


def write_record(run: str, split: str, record: SplitRecord) -> None:
    filesystem.write_bytes(
        split_record_uri(run, split), json.dumps(asdict(record), indent=1, sort_keys=True).encode()
    )


def forget_record(run: str, split: str) -> None:
    """Before the split's shards change: until the record is there again, the split does not count as listed."""
    filesystem.delete(split_record_uri(run, split))


def split_content(run: str, split: str) -> str:
    """Of the shards that the manifest has of `split`."""
    return digest(ShardStore(run, MANIFEST).index(split).column("checksum").tolist())


def is_whole(run: str, split: str, record: SplitRecord) -> bool:
    """Whether all shards and sentences are there that the record speaks of."""
    store = ShardStore(run, MANIFEST)
    numbers = store.index(split).numbers
    if split_content(run, split) != record.content or not store.have_files(split, numbers).all():
        return False
    return bool(sentence_files(run, split))


def has_audio(recipe: Recipe, split: str) -> bool:
    """Whether audio is there of some shards that have no features yet. What is trusted is not looked for."""
    reader = getattr(recipe.corpus, split).partition(":")[0]
    if is_trusted(recipe.corpus, split, reader):
        return True
    run = recipe.run
    store = ShardStore(run, MANIFEST)
    numbers = store.index(split).numbers
    shards = [Shard(split, number) for number in numbers[store.have_files(split, numbers)].tolist()]
    made = set(ShardStore(run, FEATURES).shards(split))
    waiting = [shard for shard in shards if shard not in made]
    some = waiting[:: -(-len(waiting) // LOOKED_AT) or 1]
    first = (store.read_slab(shard, 0, ["audio"])["audio"][0].as_py() for shard in some)
    return all(filesystem.exists(file) for audio in first if (file := file_of(audio)) is not None)
