"""The language model's text: a file of one's own, or the sentences that splits hold, less those of dev and test."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ssl_asr.corpus import language_text
from ssl_asr.corpus.sorted_lines import SortedLines
from ssl_asr.corpus.split_records import forget_record
from ssl_asr.corpus.stage import LANGUAGE_TEXT, run_corpus, todo_corpus
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Recipe
from ssl_asr.store.corpus_layout import lm_text_uri


def text_of(recipe: Recipe) -> list[str]:
    return Path(lm_text_uri(recipe.run)).read_text().splitlines()


def with_text(recipe: Recipe, file: Path | None) -> Recipe:
    return recipe.model_copy(
        update={"corpus": recipe.corpus.model_copy(update={"lm_text": None if file is None else str(file)})}
    )


def test_a_text_of_ones_own_counts_by_its_content_and_lists_nothing(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    spoken = text_of(own_recipe)
    file = tmp_path / "mine.txt"
    file.write_text("Hello there\n1984 was a year\ngood evening\nhello there\n")
    recipe = with_text(own_recipe, file)
    assert [(todo.product, todo.because) for todo in todo_corpus(recipe, [])] == [
        (LANGUAGE_TEXT, ("corpus.lm_text",))
    ]
    report = run_corpus(recipe)
    assert report.skipped == report.pieces
    assert text_of(recipe) == ["good evening", "hello there", "hello there"]  # what is written twice counts twice
    file.rename(tmp_path / "renamed.txt")
    assert todo_corpus(with_text(recipe, tmp_path / "renamed.txt"), []) == []
    assert run_corpus(own_recipe).skipped == report.pieces
    assert text_of(own_recipe) == spoken


def test_lines_that_are_left_out_are_counted_and_told(
    own_recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["hello there", "room 12", "<s> Good\u2028evening </s> <s>see you</s>", "ten %", "..."]
    packed = tmp_path / "mine.txt.gz"
    packed.write_bytes(gzip.compress(("\ufeff" + "\r\n".join(lines)).encode()))
    recipe = with_text(own_recipe, packed)
    run_corpus(recipe)
    assert text_of(recipe) == ["good evening", "hello there", "see you"]
    told = capsys.readouterr().err
    assert f"corpus.lm_text={packed}: 2 lines left out, the first of them line 2, which holds 1 2 ('room 12')" in told
    assert "sentences" not in told


def test_what_a_person_names_stays_and_what_is_tested_on_is_counted(
    own_recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = json.loads((tmp_path / "dev.jsonl").read_text())["text"]
    file = tmp_path / "mine.txt"
    file.write_text(f"{held_out}\nhello there\n")
    run_corpus(with_text(own_recipe, file))
    assert text_of(own_recipe) == sorted([A_TO_Z.normalise(held_out), "hello there"])
    assert f"corpus.lm_text={file} holds 1 of dev's 1 sentences." in capsys.readouterr().err


def test_words_of_transcripts_stay_where_their_sentences_are_tested_on(
    own_recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (tmp_path / "unlabeled.jsonl").read_text().splitlines()]
    commands = ["turn it on", "stop", "turn left", "it is on", "left", "go"]
    says = dict(zip((row["audio_filepath"] for row in rows), commands, strict=True))
    commanded = [{**row, "text": says[row["audio_filepath"]]} for row in rows]
    (tmp_path / "commands.jsonl").write_text("\n".join(map(json.dumps, commanded)))
    tested = [row for row in commanded if row["text"] in ("turn left", "stop")]
    (tmp_path / "tested.jsonl").write_text("\n".join(map(json.dumps, tested)))
    named = [("labeled", "commands"), ("unlabeled", "commands"), ("dev", "tested"), ("test", "tested")]
    sources = {split: f"nemo:{tmp_path}/{name}.jsonl" for split, name in named}
    recipe = own_recipe.model_copy(update={"corpus": own_recipe.corpus.model_copy(update=sources)})
    run_corpus(recipe)
    assert text_of(recipe) == sorted([*2 * ["turn it on", "it is on", "left", "go"], "stop"])
    told = capsys.readouterr().err
    assert "2 of the 6 sentences of the transcripts are dev's or test's too" in told
    assert "1 of their words are in no other" in told


def test_a_split_that_is_listed_again_changes_the_text(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    before, source = text_of(own_recipe), tmp_path / "unlabeled.jsonl"
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    rows.append({**rows[-1], "id": "new", "text": "nobody said that before"})
    source.write_text("\n".join(map(json.dumps, rows)) + "\n")
    run_corpus(own_recipe)
    after = text_of(own_recipe)
    assert set(after) - set(before) == {"nobody said that before"}
    assert not any(" " in line for line in set(before) - set(after))
    forget_record(own_recipe.run, "test")
    run_corpus(own_recipe)
    assert text_of(own_recipe) == after


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("mine.txt", b"1984\n", r"no text for the language model; corpus.lm_text=.*: 1 lines left out, .*; give one"),
        ("mine.txt", b"\n...\n", "there is no text for the language model; give one sentence a line with corpus.lm"),
        ("mine.txt", "see the café".encode("latin1"), r"mine\.txt line 1 is not UTF-8"),
        ("mine.txt", gzip.compress(b"hello there " * 9, mtime=0)[:-9], r"mine\.txt is not a whole gzip file"),
        ("none.txt", None, r"corpus\.lm_text=.*none\.txt cannot be read .*; correct the path"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    own_recipe: Recipe, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        run_corpus(with_text(own_recipe, tmp_path / name))


def test_a_text_of_many_runs_is_the_same_to_the_byte(own_recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    run_corpus(own_recipe)
    before = Path(lm_text_uri(own_recipe.run)).read_bytes()
    Path(lm_text_uri(own_recipe.run)).unlink()
    kept = list[str]()

    def in_runs(folder: str) -> SortedLines:
        kept.append(folder)
        return SortedLines(folder, run_bytes=20, most_runs=3)

    monkeypatch.setattr(language_text, "SortedLines", in_runs)
    run_corpus(own_recipe)
    assert Path(lm_text_uri(own_recipe.run)).read_bytes() == before
    assert kept
    assert not Path(kept[0]).exists()
