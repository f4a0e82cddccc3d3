"""Reading alignments made elsewhere into the run, once for the same source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ssl_asr.hmm.ctm import read_ctm
from ssl_asr.hmm.flat_model import kept_inputs
from ssl_asr.hmm.imported import KEY, write_imported
from ssl_asr.hmm.kaldi_alignments import read_kaldi_alignments, source_files
from ssl_asr.hmm.phone_times import PhoneTimes
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest
from ssl_asr.store import features, utterance
from ssl_asr.store.layout import imported_uri
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore

VERSION = "1"  # raise where an equal source gives other times
SPLIT = "labeled"
_NAME = "source"  # beside the content, what the recipe called it
_READERS: dict[str, Callable[[Path], Iterator[tuple[str, PhoneTimes]]]] = {
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
        kept = kept_inputs(imported_uri(recipe.run)) or {}
        return {KEY: kept[KEY] if kept.get(_NAME) == source else "missing"}
    files = _FILES[reader](path)
    for file in files:
        if not file.is_file():
            raise ValueError(f"{KEY}={source}: there is no {file}; copy it there")
    return {KEY: digest([VERSION, *(f"{file.name} {checksum(file.read_bytes())}" for file in files)])}


def ensure_imported(recipe: Recipe) -> None:
    """The times as today's source has them. ValueError if it is missing or broken, or fits no labeled utterance."""
    inputs = imported_inputs(recipe)
    kept = kept_inputs(imported_uri(recipe.run)) or {}
    if not inputs or kept.get(KEY) == inputs[KEY]:
        return
    source = str(recipe.hmm.alignments)
    reader, path = _located(source)
    if not path.exists():
        raise ValueError(f"{KEY}={source}: there is no {path}; fix the path")
    found: dict[str, PhoneTimes] = {}
    for name, times in _READERS[reader](path):
        if name in found:
            raise ValueError(f"{KEY}={source} has the utterance {name} twice; give it once")
        found[name] = times
    _check_fit(recipe, found)
    write_imported(recipe.run, found, {**inputs, _NAME: source})


def _check_fit(recipe: Recipe, found: Mapping[str, PhoneTimes]) -> None:
    """ValueError if no clean labeled utterance can use its times."""
    asked = why = ""
    for name, frames in _clean_lengths(recipe.run):
        asked, times = asked or name, found.get(name)
        states = None if times is None else times.states(frames)
        if isinstance(states, str):
            why = why or f"{name}: {states}"
        elif states is not None:
            return
    if why:
        raise ValueError(f"{KEY}={recipe.hmm.alignments} fits no labeled utterance; the first is {why}")
    raise ValueError(
        f"{KEY}={recipe.hmm.alignments} is of other utterances, such as {next(iter(found), 'none at all')}, than the "
        f"labeled ones, such as {asked}; give alignments whose utterances are named as in corpus.labeled"
    )


def _clean_lengths(run: str) -> Iterator[tuple[str, int]]:
    """Clean labeled utterances and their 10 ms frames, but for damaged shards: their alignment jobs name these."""
    store, columns = ShardStore(run, features.STORE), ["id", "num_frames", "condition"]
    for shard in store.shards(SPLIT):
        try:
            table = store.read(shard, columns)
        except ValueError:
            continue
        for name, frames, condition in zip(*(table[each].to_pylist() for each in columns), strict=True):
            if condition == utterance.CLEAN:
                yield name, frames


def _located(source: str) -> tuple[str, Path]:
    reader, _, path = source.partition(":")
    return reader, Path(os.path.expanduser(path))
