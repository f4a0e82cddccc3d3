"""A split cut in many pieces and buckets holds what its source does, whatever happens on the way."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus import shuffle, split_listing
from ssl_asr.corpus.piece_job import Source
from ssl_asr.corpus.pieces import Piece, pieces
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.sharding import Recordings, cut_shards
from ssl_asr.corpus.split_listing import SplitListing
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.corpus import Group
from ssl_asr.runtime.job_runner import ShardJob
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.ledger import Reject, Shard
from ssl_asr.store.patterns import matching_files
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import Utterance, encode
from tests.conftest import tiny_recipe
from tests.corpus.conftest import rows_of

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


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(
        tmp_path / "run", "corpus.shard_minutes=4", "corpus.slab_minutes=1", "corpus.unlabeled_copies=0"
    )


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 20_000)


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


def test_shards_hold_whole_speakers_in_order_of_time(recipe, tmp_path, small_buckets):
    rows = speech(60)
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source").buckets > 5
    found = rows_of(recipe, "unlabeled")
    assert sorted(row.recording for row in found) == sorted(str(row["id"]) for row in rows)
    for speaker, of_speaker in itertools.groupby(found, key=lambda row: row.speaker):
        held = list(of_speaker)
        assert len(held) == 20, f"{speaker} is in one shard"
        assert [row.order for row in held] == list(range(20))
        assert [row.offset for row in held] == [10.0 * place for place in range(20)]


def test_one_bucket_is_cut_as_all_speech_at_once(recipe, tmp_path):
    rows = speech(30)
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source").buckets == 1
    in_time = sorted((Utterance(**row) for row in rows), key=lambda row: (row.speaker, row.offset))
    wanted = cut_shards(Recordings.of(encode(in_time)), 4, 1)
    entries = ShardStore(recipe.run, MANIFEST).entries("unlabeled")
    assert [len(entry.slabs) for entry in entries] == list(map(len, wanted))
    assert [entry.rows for entry in entries] == [sum(map(len, slabs)) for slabs in wanted]


def test_pieces_and_their_order_do_not_matter(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(40))
    listed(recipe, tmp_path / "source")
    before = contents(recipe)

    def backwards(what, todo, make_job, *, skipped):
        return in_series(what, list(todo)[::-1], make_job)

    for size, place in ((1500, backwards), (100_000, in_series)):
        other = recipe.model_copy(update={"run": f"{recipe.run}-{size}"})
        listed(other, tmp_path / "source", size, place)
        assert contents(other) == before


@pytest.mark.parametrize("killed_after", [0, 1, 3, 7, 15, 40, 80, 100, 121, 150])
def test_a_killed_listing_goes_on(recipe, tmp_path, small_buckets, killed_after, monkeypatch):
    write(tmp_path / "source", speech(40))
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    listed(other, tmp_path / "source")
    writes = itertools.count()
    whole = filesystem.write_bytes

    def killed(uri, data):
        if next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            listed(recipe, tmp_path / "source")
    listed(recipe, tmp_path / "source")
    assert contents(recipe) == contents(other)
    before = shards(recipe)
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


def test_added_speakers_leave_other_shards_alone(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(40))
    buckets = listed(recipe, tmp_path / "source").buckets
    before = shards(recipe)
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in speech(9, first=100)))
    assert listed(recipe, tmp_path / "source").buckets == buckets
    after = shards(recipe)
    assert before.items() <= after.items()
    assert len(rows_of(recipe, "unlabeled")) == 49 * 20
    (tmp_path / "source" / "part-9.jsonl").unlink()
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


@pytest.mark.parametrize("killed_after", [0, 4, 8, 9, 11, 13, 16])
def test_a_growth_that_was_killed_goes_on_as_if_it_had_not_been(recipe, tmp_path, killed_after, monkeypatch):
    """Long speakers are cut by how much speech there is in all, so what is left must not be cut by itself."""
    write(tmp_path / "source", speech(21))
    other = recipe.model_copy(update={"run": f"{recipe.run}-unbroken"})
    for each in (recipe, other):
        listed(each, tmp_path / "source")
    added = [
        row
        for place, each in enumerate((145, 3, 31, 90, 9, 40, 117, 27, 5, 36))
        for row in speech(1, each, 100 + place)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in added)
    (tmp_path / "source" / "part-9.jsonl").write_text(lines)
    first = next((tmp_path / "source").glob("part-0.jsonl"))
    first.write_text("".join(first.read_text().splitlines(keepends=True)[5:]))
    listed(other, tmp_path / "source")
    writes, whole = itertools.count(), filesystem.write_bytes

    def killed(uri, data):
        if "manifest" in uri and next(writes) == killed_after:
            raise KeyboardInterrupt
        whole(uri, data)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(filesystem, "write_bytes", killed)
        listed(recipe, tmp_path / "source")
    listed(recipe, tmp_path / "source")
    assert contents(recipe) == contents(other)


def test_only_buckets_with_other_rows_are_cut_again(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(60))
    buckets = listed(recipe, tmp_path / "source").buckets
    cut = dict[str, list[int]]()

    def noting(what, todo, make_job, *, skipped):
        cut[what] = [shard.number for shard in todo]
        return in_series(what, todo, make_job)

    file = tmp_path / "source" / "part-1.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    row = json.loads(first)
    changed = json.dumps({**row, "text": row["text"].upper()}) + "\n"
    assert len(changed) == len(first), "pieces begin where they did"
    file.write_text("".join([changed, *others]))
    listed(recipe, tmp_path / "source", place=noting)
    assert len(cut["reading unlabeled"]) > 0
    assert cut["ids of unlabeled"] == []
    assert cut["cutting unlabeled"] == shuffle.buckets_of([row["speaker"]], buckets).tolist()


def test_recordings_that_are_speakers_of_their_own(recipe, tmp_path, small_buckets):
    rows = [{**row, "speaker": "nobody knows", "channel": int(row["offset"]) // 100} for row in speech(30)]
    write(tmp_path / "source", rows)
    assert listed(recipe, tmp_path / "source", group="recording").buckets > 2
    found = rows_of(recipe, "unlabeled")
    assert len(found) == len(rows)
    assert {row.speaker for row in found} == {f"{row.audio}{'#1' * row.channel}" for row in found}
    assert len({row.speaker for row in found}) == 60


def test_where_the_source_is_grouped_nothing_is_shuffled(recipe, tmp_path, small_buckets):
    (tmp_path / "source").mkdir()
    for part in range(3):
        rows = sorted(speech(10, first=10 * part), key=lambda row: str(row["speaker"]))
        (tmp_path / "source" / f"part-{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert listed(recipe, tmp_path / "source", 100_000, group="source").buckets == 3
    store = ShardStore(recipe.run, MANIFEST)
    for shard in store.shards("unlabeled"):
        speakers = {int(name.split()[1]) // 10 for name in store.read(shard)["speaker"].to_pylist()}
        assert speakers == {shard.number % 3}
    assert len(rows_of(recipe, "unlabeled")) == 600


def test_a_speaker_of_everything_is_refused(recipe, tmp_path, small_buckets, monkeypatch):
    monkeypatch.setattr(split_listing, "MOST_ROWS", 100)
    write(tmp_path / "source", [{**row, "speaker": "unknown"} for row in speech(10)])
    with pytest.raises(ValueError, match=r"^200 utterances of unlabeled .* set corpus\.group=recording;"):
        listed(recipe, tmp_path / "source")


def test_shards_of_a_run_without_buckets_are_kept(recipe, tmp_path):
    """As those of an earlier version, whose source had grown."""
    write(tmp_path / "source", speech(20))
    listed(recipe, tmp_path / "source")
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in speech(5, first=100)))
    listed(recipe, tmp_path / "source")
    before = shards(recipe)
    for folder in ("corpus", "ledger/corpus", "cache"):
        shutil.rmtree(Path(recipe.run, folder), ignore_errors=True)
    listed(recipe, tmp_path / "source")
    assert shards(recipe) == before


def test_a_source_of_another_size_is_cut_anew(recipe, tmp_path, small_buckets):
    write(tmp_path / "source", speech(80))
    many = listed(recipe, tmp_path / "source").buckets
    write(tmp_path / "source", speech(4))
    assert listed(recipe, tmp_path / "source").buckets < many / 4
    assert len(rows_of(recipe, "unlabeled")) == 80


def test_a_source_of_many_pieces_may_become_one_piece(recipe, tmp_path):
    write(tmp_path / "source", speech(20))
    listed(recipe, tmp_path / "source")
    write(tmp_path / "source", speech(4), files=1)
    for file in ("part-1.jsonl", "part-2.jsonl"):
        (tmp_path / "source" / file).unlink()
    listed(recipe, tmp_path / "source", size=100_000)
    assert len(rows_of(recipe, "unlabeled")) == 80


def test_ids_that_are_used_again_are_rejected(recipe, tmp_path, small_buckets):
    rows = speech(40)
    again = [{**row, "speaker": "another", "audio": "/audio/other.flac"} for row in rows[:30]]
    write(tmp_path / "source", rows)
    (tmp_path / "source" / "part-9.jsonl").write_text("".join(json.dumps(row) + "\n" for row in again))
    listed(recipe, tmp_path / "source")
    found = rows_of(recipe, "unlabeled")
    assert sorted(row.recording for row in found) == sorted(str(row["id"]) for row in rows)
    assert not any(row.speaker == "another" for row in found)
    rejects = shuffle.buckets_store(recipe.run).rejects("unlabeled")
    assert sorted(reject.id for reject in rejects) == sorted(str(row["id"]) for row in again)
    (tmp_path / "source" / "part-9.jsonl").unlink()
    listed(recipe, tmp_path / "source")
    assert not shuffle.buckets_store(recipe.run).rejects("unlabeled")
