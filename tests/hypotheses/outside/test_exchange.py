"""Words come to their shards whatever is killed, in whatever order the work is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ssl_asr.corpus import shuffle, small_work
from ssl_asr.hypotheses.outside import exchange, groups
from ssl_asr.hypotheses.outside.shard_job import OutsideJob
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, filesystem, layout
from ssl_asr.store.ledger import LedgerEntry, Shard
from ssl_asr.store.shards import ShardStore
from tests.hypotheses.conftest import ALONE, CLEAN, asking, contents, copied, rows_of, sources, texts
from tests.s3_server import S3Server

SAID = {each.id: str(each.text) for each in (*CLEAN, ALONE)} | {f"other-{n}": "two cats" for n in range(20)}


class KilledError(BaseException):
    """As good as a kill: nobody catches it."""


@pytest.fixture
def words(tmp_path: Path) -> str:
    lines = [json.dumps({"id": name, "hypothesis": text}) + "\n" for name, text in sorted(SAID.items())]
    for number in range(2):
        (tmp_path / f"words-{number}.jsonl").write_text("".join(lines[number::2]))
    return f"jsonl:{tmp_path}/words-*.jsonl"


@pytest.fixture
def unbroken(own: Recipe, tmp_path: Path, words: str) -> dict[str, bytes]:
    """What is made of files and shards that are a piece and a group each."""
    recipe = asking(copied(own, tmp_path / "unbroken"), teacher=words)
    run_hypotheses(recipe)
    found = texts(rows_of(recipe))
    assert {name: text for name, text in found.items() if text} == {name: SAID[name] for name in found.keys() & SAID}
    return contents(recipe)


@pytest.fixture
def many(unbroken: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces of each file, partitions and groups, as of large ones."""
    monkeypatch.setattr(exchange, "PIECE_BYTES", 150)
    monkeypatch.setattr(shuffle, "BUCKET_BYTES", 400)
    monkeypatch.setattr(groups, "_LEAST_SHARDS", 1)


def scratch(recipe: Recipe) -> list[Path]:
    return [Path(recipe.run, part, layout.IMPORTED_WORDS) for part in ("", "ledger", "cache/ledger")]


def test_pieces_and_their_order_do_not_matter(
    own: Recipe, words: str, unbroken: dict[str, bytes], many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = small_work.in_this_process, dict[str, int]()

    def backwards(what: str, shards: Sequence[Shard], *arguments: object, **named: object) -> object:
        seen[what] = len(shards)
        return plain(what, shards[::-1], *arguments, **named)

    monkeypatch.setattr(small_work, "in_this_process", backwards)
    recipe = asking(own, teacher=words)
    report = run_hypotheses(recipe)
    assert seen["reading words"] > 4
    assert seen["joining words"] > 2
    assert (seen["ids of shards"], seen["words by shard"]) == (2, 2)
    assert contents(recipe) == unbroken
    assert report.figures["of_other_speech"] == 20
    assert not any(folder.exists() for folder in scratch(recipe))


def test_what_is_killed_at_any_write_goes_on_to_the_same_end(
    own: Recipe, words: str, unbroken: dict[str, bytes], many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, write, writes = asking(own, teacher=words), ShardStore.write, 0

    def dying(store: ShardStore, entry: LedgerEntry, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == 3:
            Path(store.uri(entry.shard) + ".tmp-0123abcd").parent.mkdir(parents=True, exist_ok=True)
            Path(store.uri(entry.shard) + ".tmp-0123abcd").write_bytes(b"half a file")
            raise KilledError
        write(store, entry, data)

    monkeypatch.setattr(ShardStore, "write", dying)
    killed = 0
    while True:  # every attempt makes two files more
        writes = 0
        try:
            run_hypotheses(recipe)
            break
        except KilledError:
            killed += 1
    assert killed > 5
    assert contents(recipe) == unbroken


def test_shards_that_are_made_stay_and_others_take_their_words_from_the_files_again(
    own: Recipe, words: str, many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = asking(own, teacher=words)
    run_hypotheses(recipe)
    before, store, last = contents(recipe), hypothesis_set(recipe).store, sources(recipe)[1]
    Path(store.ledger_uri(last)).unlink()
    made, make = list[Shard](), OutsideJob.make
    monkeypatch.setattr(OutsideJob, "make", lambda job, shard: made.append(shard) or make(job, shard))
    assert run_hypotheses(recipe).skipped == 1
    assert made == [last]
    assert contents(recipe) == before


def test_a_shard_of_features_that_is_mended_gets_its_words(
    own: Recipe, words: str, unbroken: dict[str, bytes], many: None
) -> None:
    recipe = asking(own, teacher=words)
    first, second = sources(own)
    file = Path(ShardStore(own.run, features.STORE).uri(second))
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.MonkeyPatch.context() as patch:  # killed before the end, so what was found out stays
        patch.setattr("ssl_asr.hypotheses.stage.forget_exchange", lambda run: None)
        run_hypotheses(recipe)  # the toy recipe allows that half is rejected
    assert hypothesis_set(recipe).store.shards("unlabeled") == [first]
    file.write_bytes(whole)
    run_hypotheses(recipe)
    assert contents(recipe) == unbroken


def test_an_utterance_that_is_there_twice_is_told_though_it_is_in_no_shard(
    own: Recipe, words: str, many: None
) -> None:
    more = Path(words.removeprefix("jsonl:").replace("*", "2"))
    more.write_text('{"id": "other-3", "hypothesis": "cats"}\n')
    with pytest.raises(ValueError, match=r"words-2\.jsonl has 'other-3', which is in .*words-\d\.jsonl too"):
        run_hypotheses(asking(own, teacher=words))
    more.write_text('{"id": "other-33", "hypothesis": "cats"}\n')
    assert run_hypotheses(asking(own, teacher=words)).figures["of_other_speech"] == 21


def test_a_file_that_changes_while_it_is_read_is_told(
    own: Recipe, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = exchange.Exchange._find_ids

    def while_another_writes(self: exchange.Exchange) -> None:
        with open(self.files[0], "a") as file:
            file.write('{"id": "other-99", "hypothesis": "two cats"}')
        find(self)

    monkeypatch.setattr(exchange.Exchange, "_find_ids", while_another_writes)
    with pytest.raises(ValueError, match="has changed while it was read; give the same command again"):
        run_hypotheses(asking(own, teacher=words))
    monkeypatch.undo()
    assert run_hypotheses(asking(own, teacher=words)).figures["of_other_speech"] == 21


def test_files_may_lie_in_a_bucket(
    own: Recipe, words: str, unbroken: dict[str, bytes], many: None, s3: S3Server
) -> None:
    bucket = s3.create_bucket("words")
    for file in Path(words.removeprefix("jsonl:")).parent.glob("words-*.jsonl"):
        filesystem.write_bytes(f"{bucket}/said/{file.name}", file.read_bytes())
    recipe = asking(own, teacher=f"jsonl:{bucket}/said/words-*.jsonl")
    run_hypotheses(recipe)
    assert contents(recipe) == unbroken
