"""The text for whoever recognises the unlabeled speech: no sentence of that speech, and no word of it alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus import text_without_unlabeled
from ssl_asr.corpus.language_text import add_text
from ssl_asr.corpus.sorted_lines import SortedLines
from ssl_asr.corpus.text_without_unlabeled import checksum_without_unlabeled, sentences_without_unlabeled
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_uri, sentences_uri
from ssl_asr.store.ledger import checksum

SAID = {
    "labeled": ["turn it on", "stop now", "go left", "go left"],
    "unlabeled": ["go left", "an unheard secret"],
    "dev": ["stop now"],
    "test": ["an unheard secret"],
    "open-speech": ["turn it on", "stop now", "go left", "an unheard secret", "it is late"],
}


def recipe_that_says(run: Path, said: dict[str, list[str]], *overrides: str) -> Recipe:
    """A run with these sentences of its splits, and with the text that the corpus stage makes of them."""
    recipe = load_recipe("demo", [f"run={run}", *overrides])
    for name, lines in said.items():
        filesystem.write_bytes(sentences_uri(recipe.run, name), "".join(f"{line}\n" for line in lines).encode())
    text = SortedLines(str(run / "sorted"))
    add_text(recipe, text)
    filesystem.write_bytes(lm_text_uri(recipe.run), b"".join(line + b"\n" for line in text))
    return recipe


def text_of(recipe: Recipe) -> list[str]:
    return Path(lm_text_uri(recipe.run)).read_text().splitlines()


def lines_of(recipe: Recipe) -> list[str]:
    found = [*sentences_without_unlabeled(recipe)]
    assert checksum_without_unlabeled(recipe) == checksum("".join(f"{line}\n" for line in found).encode())
    return found


OWN = ("corpus.labeled=nemo:a", "corpus.unlabeled=nemo:b", "corpus.dev=nemo:c", "corpus.test=nemo:d")


def test_what_unlabeled_utterances_say_is_in_no_text_for_those_who_recognise_them(tmp_path: Path) -> None:
    """Words of labeled sentences that are left out stay; those of unlabeled and tested ones don't."""
    own = recipe_that_says(tmp_path / "own", SAID, *OWN)
    assert "unheard" in text_of(own)  # a word of the domain, for all that is tested
    assert lines_of(own) == ["go", "left", "now", "stop", "turn it on"]
    opened = recipe_that_says(tmp_path / "open", SAID)
    assert lines_of(opened) == ["go", "it is late", "left", "now", "stop", "turn it on"]
    half = recipe_that_says(tmp_path / "half", SAID, "corpus.labeled=nemo:a")
    assert set(lines_of(half)) == {"go", "it is late", "left", "now", "stop", "turn it on"}


def test_of_a_text_of_ones_own_unlabeled_sentences_are_left_out_too(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("an unheard secret\na secret\ngo left\n")
    recipe = recipe_that_says(tmp_path / "run", SAID, *OWN, f"corpus.lm_text={tmp_path}/mine.txt")
    assert lines_of(recipe) == ["a secret", "go", "left"]


def test_where_no_unlabeled_text_is_known_the_text_is_the_run_s(tmp_path: Path) -> None:
    recipe = recipe_that_says(tmp_path / "run", {**SAID, "unlabeled": []}, *OWN)
    assert lines_of(recipe) == text_of(recipe)


def test_a_text_of_which_nothing_is_left_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("an unheard secret\n")
    recipe = recipe_that_says(tmp_path / "run", SAID, *OWN, f"corpus.lm_text={tmp_path}/mine.txt")
    with pytest.raises(ValueError, match=r"no sentence .* is left without those of the unlabeled speech; give other"):
        checksum_without_unlabeled(recipe)


WORDS = st.sampled_from(["go", "left", "right", "stop", "now"])
SENTENCES = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), max_size=8)


@given(said=st.fixed_dictionaries(dict.fromkeys(SAID, SENTENCES)), own=st.booleans(), given_text=SENTENCES)
@settings(max_examples=60, deadline=None)
def test_it_is_that_of_all_sentences_in_memory(said: dict[str, list[str]], own: bool, given_text: list[str]) -> None:
    """Sorted in runs of a few bytes."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        overrides = OWN if own else ()
        if given_text:
            Path(folder, "mine.txt").write_text("\n".join(given_text))
            overrides = (*overrides, f"corpus.lm_text={folder}/mine.txt")
        said = {**said, "labeled": [*said["labeled"], "go on"], "open-speech": [*said["open-speech"], "go on"]}
        recipe = recipe_that_says(Path(folder), said, *overrides)
        patch.setattr(text_without_unlabeled, "SortedLines", partial(SortedLines, run_bytes=8, most_runs=3))
        if (wanted := in_memory(recipe, said, text_of(recipe))) is None:
            with pytest.raises(ValueError, match="no sentence of the language model's text is left"):
                lines_of(recipe)
        else:
            assert lines_of(recipe) == wanted


def in_memory(recipe: Recipe, said: dict[str, list[str]], text: list[str]) -> list[str] | None:
    """By the definition; None where nothing is left."""
    if not said["unlabeled"]:
        return text
    left_out, written = {*said["unlabeled"]}, text
    if recipe.corpus.lm_text is None:
        left_out |= {*said["dev"], *said["test"]}
        written = said["labeled"] if recipe.corpus.labeled != "open-speech" else said["open-speech"]
    kept = [line for line in written if line not in left_out]
    labeled, all_words, kept_words = ({*" ".join(lines).split()} for lines in (said["labeled"], written, kept))
    return sorted([*kept, *(labeled & all_words - kept_words)]) or None
