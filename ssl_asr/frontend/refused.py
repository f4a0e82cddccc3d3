"""Audio of rejected utterances: what its files were, and which shards are worth another try.

A shard's entry notes size and time of each file that a rejected utterance was to be read from. Only these files are
looked at again, and none is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ssl_asr.corpus.audio_places import file_of, files_behind
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.file_stamps import stamps_one_by_one
from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import PARALLEL_READS, LedgerIndex
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance

_GONE = (-1, -1)


def noted_files(utterances: Iterable[Utterance]) -> dict[str, list[int]]:
    """Bytes and time of the last write (ns since 1970) of each file that these are read from; -1 of what is gone."""
    files = {file for item in utterances for file in files_behind(item.audio)}
    now = stamps_one_by_one(files)
    return {file: list(now.get(file, _GONE)) for file in files}


def mended_shards(run: str, split: str) -> frozenset[int]:
    """Numbers of the shards with rejects that may have fewer now: a file that was refused is there, or is another.

    A shard of which other audio is gone is none of them: its features could not be made again. Shards of an earlier
    version, which have noted no files, are tried again once.
    """
    refusals = ShardStore(run, features.STORE).refusals(split)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        suspects = _changed(refusals)
        can_be_made = pool.map(partial(_has_other_audio, run, split), suspects)
        return frozenset(number for number, can in zip(suspects, can_be_made, strict=True) if can)


def _changed(refusals: LedgerIndex) -> list[int]:
    """What is gone, or can't be reached, counts as unchanged."""
    table = refusals.table
    now = stamps_one_by_one({file for files in table["files"].to_pylist() for file in files})
    columns = (table[name].to_pylist() for name in ("number", "is_noted", "files", "sizes", "times"))
    found = []
    for number, is_noted, files, *stamps in zip(*columns, strict=True):
        then = dict(zip(files, zip(*stamps, strict=True), strict=True))
        if not is_noted or any(now.get(file, stamp) != stamp for file, stamp in then.items()):
            found.append(number)
    return found


def _has_other_audio(run: str, split: str, number: int) -> bool:
    """Whether the files are there of all utterances of the shard that were not rejected."""
    shard = Shard(split, number)
    try:
        entry = ShardStore(run, features.STORE).entry(shard)
        rows = ShardStore(run, utterance.STORE).read(shard, ["id", "audio"]).to_pydict()
        rejected = {reject.id for reject in entry.rejects} if entry is not None else set()
        others = {audio for name, audio in zip(rows["id"], rows["audio"], strict=True) if name not in rejected}
        return all(filesystem.exists(file) for audio in others if (file := file_of(audio)) is not None)
    except (OSError, ValueError):  # a damaged shard, or a store that does not answer
        return False
