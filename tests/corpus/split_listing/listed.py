"""Speech that is listed in pieces and cut in buckets, without Ray."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ssl_asr.corpus.piece_job import Source
from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.split_listing import SplitListing
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.corpus import Group
from ssl_asr.runtime.job_runner import ShardJob
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.patterns import matching_files
from ssl_asr.store.utterance import Utterance

PARENTS = {"version": "1"}


def in_series(
    what: str, shards: Sequence[Shard], make_job: Callable[[], ShardJob], *, skipped: int = 0
) -> list[Reject]:
    job = make_job()
    for shard in shards:
        job(shard)
    return []


def read(piece: Piece) -> Reading:
    rows = [json.loads(line) for _, line in read_lines(piece.uri, piece.begin, piece.end)]
    return Reading(tuple(Utterance(**row) for row in rows))


def write(folder: Path, lines: Sequence[dict[str, object]], files: int = 3) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(files):
        text = "".join(json.dumps(row) + "\n" for row in lines[number::files])
        (folder / f"part-{number}.jsonl").write_text(text)


def speech(speakers: int, each: int = 20, first: int = 0) -> list[dict[str, object]]:
    random = np.random.default_rng(first)
    rows = [
        {
            "id": f"{speaker}-{place}",
            "audio": f"/audio/{speaker}.flac",
            "speaker": f"speaker {speaker}",
            "order": 0,
            "offset": 10.0 * place,
            "duration": float(random.integers(20, 60)) / 10,
            "text": f"sentence {place}",
        }
        for speaker in range(first, first + speakers)
        for place in range(each)
    ]
    return [rows[place] for place in random.permutation(len(rows))]


def listing(
    recipe: Recipe, folder: Path, size: int = 4000, place=in_series, group: Group = "speaker"
) -> SplitListing:
    found = pieces(matching_files(f"{folder}/*.jsonl"), by_lines=True, size=size)
    source = Source(found, read, {"source": "x"}, group=group)
    return SplitListing(recipe, "unlabeled", source, PARENTS, place)


def listed(*args: object, **kwargs: object) -> SplitListing:
    found = listing(*args, **kwargs)
    found.read()
    found.cut()
    return found


def shards(recipe: Recipe) -> dict[str, tuple[bytes, int]]:
    files = Path(recipe.run, "manifest", "unlabeled").iterdir()
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def contents(recipe: Recipe) -> dict[str, bytes]:
    return {name: data for name, (data, _) in shards(recipe).items()}
