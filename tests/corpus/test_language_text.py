"""The language model's text: of the sentences that splits hold, less those that are tested on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssl_asr.corpus.split_records import forget_record
from ssl_asr.corpus.stage import LANGUAGE_TEXT, run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from ssl_asr.store.layout import lm_text_uri


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


def test_what_is_tested_on_stays_out_of_a_text_of_ones_own(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    held_out = json.loads((tmp_path / "dev.jsonl").read_text())["text"]
    file = tmp_path / "mine.txt"
    file.write_text(f"{held_out}\nhello there\n")
    run_corpus(with_text(own_recipe, file))
    assert text_of(own_recipe) == ["hello there"]


def test_a_split_that_is_listed_again_changes_the_text(own_recipe: Recipe, tmp_path: Path) -> None:
    run_corpus(own_recipe)
    before, source = text_of(own_recipe), tmp_path / "unlabeled.jsonl"
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    rows.append({**rows[-1], "id": "new", "text": "a sentence that nobody said before"})
    source.write_text("\n".join(map(json.dumps, rows)) + "\n")
    run_corpus(own_recipe)
    assert text_of(own_recipe) == sorted([*before, "a sentence that nobody said before"])
    forget_record(own_recipe.run, "test")
    run_corpus(own_recipe)
    assert text_of(own_recipe) == sorted([*before, "a sentence that nobody said before"])


def test_without_a_sentence_there_is_one_sentence(own_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("1984\n")
    with pytest.raises(ValueError, match=r"no text for the language model; give one sentence a line with corpus\.lm"):
        run_corpus(with_text(own_recipe, tmp_path / "mine.txt"))
