"""Reading alignments made elsewhere into the run, once for the same source, speech and pronunciations.

The source is read once from beginning to end. In memory are the labeled utterances' names and, as arrays, the times
of their phones.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ssl_asr.hmm.ctm import read_ctm
from ssl_asr.hmm.import_check import check_shard
from ssl_asr.hmm.imported import KEY, ImportIndex, read_index, write_imported, write_index, write_unused
from ssl_asr.hmm.kaldi_alignments import read_kaldi_alignments, source_files
from ssl_asr.hmm.lexicon_stage import pronunciation_inputs
from ssl_asr.hmm.phone_times import PhoneTimes, Unusable
from ssl_asr.lang.lexicon import read_lexicon, read_phones
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import features, filesystem, utterance
from ssl_asr.store.hmm_layout import imported_folder
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

VERSION = "2"  # raise where an equal source gives other times
SPLIT = "labeled"
# Less speech, in 10 ms frames, is too little for a model: half a minute is 26 frames for each of its states.
LEAST_FRAMES = 30 * 100
Found = PhoneTimes | Unusable
_READERS: dict[str, Callable[[Path, PhoneSet], Iterator[tuple[str, Found]]]] = {
    "kaldi": read_kaldi_alignments,
    "ctm": read_ctm,
}
_FILES: dict[str, Callable[[Path], list[Path]]] = {"kaldi": source_files, "ctm": lambda path: [path]}


def imported_inputs(recipe: Recipe) -> dict[str, str]:
    """Of the content of `hmm.alignments`; empty without one. ValueError where a part of it is missing."""
    source = recipe.hmm.alignments
    if source is None:
        return {}
    reader, path = _located(source)
    if not path.exists():
        # A run goes on where its source is not, for nothing reads it once it is imported.
        kept = read_index(recipe.run)
        return {KEY: kept.inputs[KEY] if kept is not None and kept.source == source else "missing"}
    files = _FILES[reader](path)
    for file in files:
        if not file.is_file():
            raise ValueError(f"{KEY}={source}: there is no {file}; copy it there")
    return {KEY: digest([VERSION, *map(_checksum, files)])}


def ensure_imported(recipe: Recipe, content: str) -> ImportIndex | None:
    """What is imported of this `content` (see `imported_inputs`); None if that is empty. The lexicon is there.

    ValueError if the source is missing or broken, or if it has too little that fits the labeled speech.
    """
    if not content:
        return None
    wanted, source = _inputs(recipe, content), str(recipe.hmm.alignments)
    kept = read_index(recipe.run)
    shards = {shard.number for shard in ShardStore(recipe.run, features.STORE).shards(SPLIT)}
    if kept is None or kept.inputs != wanted or shards - kept.frames.keys():  # such as one that was damaged then
        reader, path = _located(source)
        if not path.exists():
            again = "" if kept is None else "; the labeled speech, or how it is pronounced, is not what it was"
            raise ValueError(f"{KEY}={source}: there is no {path}{again}; fix the path")
        return _import(recipe, _READERS[reader](path, read_phones(recipe.run)), wanted)
    if kept.source != source:
        kept = replace(kept, source=source)
        write_index(recipe.run, kept)
    return kept


def _inputs(recipe: Recipe, content: str) -> dict[str, str]:
    """Texts are part of the features' own inputs."""
    labeled = ShardStore(recipe.run, features.STORE).index(SPLIT)
    return {KEY: content, "features": digest(labeled.column("checksum").tolist()), **pronunciation_inputs(recipe)}


def _import(recipe: Recipe, source: Iterator[tuple[str, Found]], inputs: dict[str, str]) -> ImportIndex:
    found, lexicon = _by_shard(recipe, source), read_lexicon(recipe.run)
    frames, unused = dict[int, tuple[int, ...]](), dict[str, Unusable]()
    filesystem.delete(imported_folder(recipe.run))
    for number in list(found):
        try:
            checked = check_shard(recipe.run, Shard(SPLIT, number), found.pop(number), lexicon)
        except ValueError:
            continue  # it can't be read: its alignment job names the damage
        write_imported(recipe.run, number, checked.usable, inputs[KEY])
        frames[number] = checked.frames
        unused |= checked.unused
    kinds = Counter(each.kind for each in unused.values())
    index = ImportIndex(inputs, str(recipe.hmm.alignments), frames, dict(sorted(kinds.items())))
    if index.total_frames < LEAST_FRAMES:
        filesystem.delete(imported_folder(recipe.run))
        raise ValueError(_too_little(index, unused))
    write_unused(recipe.run, unused)
    write_index(recipe.run, index)
    return index


def _by_shard(recipe: Recipe, source: Iterator[tuple[str, Found]]) -> dict[int, dict[str, Found]]:
    """Of the clean labeled utterances, by the number of their shard. ValueError if the source has none of them."""
    shards = ShardStore(recipe.run, features.STORE).shards(SPLIT)
    found: dict[int, dict[str, Found]] = {shard.number: {} for shard in shards}
    places = dict(_clean_utterances(recipe.run))
    other = "none at all"
    for name, times in source:
        if name not in places:
            other = name
            continue
        mine = found[places[name]]
        twice = Unusable("unreadable", "the alignments have it twice; give it once")
        mine[name] = twice if name in mine else times
    if not any(found.values()):
        raise ValueError(
            f"{KEY}={recipe.hmm.alignments} is of other utterances, such as {other}, than the labeled ones, such as "
            f"{next(iter(places), 'none at all')}; give alignments whose utterances are named as in corpus.labeled"
        )
    return found


def _clean_utterances(run: str) -> Iterator[tuple[str, int]]:
    """With the numbers of their shards, but for damaged shards: their alignment jobs name these."""
    store, columns = ShardStore(run, features.STORE), ["id", "condition"]
    for shard in store.shards(SPLIT):
        try:
            table = store.read(shard, columns)
        except ValueError:
            continue
        for name, condition in zip(*(table[each].to_pylist() for each in columns), strict=True):
            if condition == utterance.CLEAN:
                yield name, shard.number


def _too_little(index: ImportIndex, unused: Mapping[str, Unusable]) -> str:
    others = f"; the first of {len(unused):,} alignments that do not fit is of "
    first = next((f"{others}{name}: {each.reason}" for name, each in unused.items()), "")
    if not index.total_frames:
        return f"{KEY}={index.source} fits no labeled utterance{first}"
    seconds, least = (frames * features.FRAME_SECONDS for frames in (index.total_frames, LEAST_FRAMES))
    return (
        f"{KEY}={index.source} fits {seconds:.1f} s of the labeled speech, too little to make a model of, which "
        f"takes {least:g} s{first}; give more alignments, or unset {KEY}"
    )


def _located(source: str) -> tuple[str, Path]:
    reader, _, path = source.partition(":")
    return reader, Path(os.path.expanduser(path))


def _checksum(file: Path) -> str:
    status = file.stat()
    return _checksum_of(str(file), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)  # several parts of a stage, and the stages after it, ask for the same
def _checksum_of(file: str, size: int, mtime_ns: int) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
