"""The run's lexicon by a file and by letters, from texts of any script."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus.stage import run_corpus
from ssl_asr.decoding.graph_files import graph_inputs, graph_language
from ssl_asr.hmm.dictionary import looked_up
from ssl_asr.hmm.lexicon_stage import ensure_lexicon, kept_inputs, lexicon_inputs, pronunciation_inputs
from ssl_asr.lang.lexicon import Lexicon, read_lexicon, read_phones
from ssl_asr.lang.phones import ENGLISH, PhoneSet
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.hmm_layout import phones_uri
from ssl_asr.store.shards import ShardStore
from tests.conftest import CACHE
from tests.finished_run import write_source

TEXTS = {
    "labeled": ["Кот спит, кот!", "سلام يا قطة", "un café"],
    "unlabeled": ["2 кота"],
    "dev": ["Кофе"],
    "test": ["cafe ёж", "кот 7"],
}


def recipe_of(folder: Path, *overrides: str) -> Recipe:
    sources = {split: write_source(folder / "speech", split, texts) for split, texts in TEXTS.items()}
    own = [f"corpus.{split}=nemo:{listing}" for split, listing in sources.items()]
    return load_recipe(
        "demo",
        [
            f"run={folder}/run",
            f"corpus.cache={CACHE}",
            *own,
            "corpus.max_reject_share=1",
            "hmm.g2p_words=0",
            *(f"corpus.{split}_conditions=[clean]" for split in ("train", "dev", "test")),
            "corpus.labeled_copies=0",
            *overrides,
        ],
    )


@pytest.fixture
def spelled(tmp_path: Path) -> Recipe:
    recipe = recipe_of(tmp_path, "hmm.lexicon=graphemes")
    run_corpus(recipe)
    return recipe


def texts(run: str, split: str) -> list[str | None]:
    store = ShardStore(run, utterance.STORE)
    return sorted(text or "" for shard in store.shards(split) for text in store.read(shard)["text"].to_pylist())


def test_texts_of_any_script_are_normalised_and_spelled(spelled: Recipe, capsys: pytest.CaptureFixture) -> None:
    assert texts(spelled.run, "labeled") == ["un café", "кот спит кот", "سلام يا قطة"]
    assert texts(spelled.run, "unlabeled") == [""]  # a digit stands for a word
    assert texts(spelled.run, "test") == ["cafe ёж"]
    ensure_lexicon(spelled)
    said = read_lexicon(spelled.run)
    assert said.phones == PhoneSet.of("котспитسلاميقطةunc" + "afé")
    assert said.pronunciations["قطة"] == (tuple("قطة"),)
    # "cafe" has a letter that no labeled text has: "e" is never said without its accent there.
    assert said.unknown(["cafe", "ёж", "кофе", "кот"]) == ["cafe", "ёж", "кофе"]
    assert "have letters that no labeled text has" in capsys.readouterr().err
    assert kept_inputs(spelled.run) == lexicon_inputs(spelled)
    filesystem.delete(phones_uri(spelled.run))
    assert kept_inputs(spelled.run) is None


def test_what_a_lexicon_holds_counts_and_not_its_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    given = tmp_path / "words.txt"
    given.write_text("<unk> SPN\nкот 1.0 k o t\nкот 0.2 k a t\nспит 1 s p i t\nсалам 1 s a l\n", encoding="utf-8")
    recipe = recipe_of(tmp_path, f"hmm.lexicon={given}")
    run_corpus(recipe)
    ensure_lexicon(recipe)
    assert "1 lines of silence or noise are left out" in capsys.readouterr().err
    said = read_lexicon(recipe.run)
    assert said.phones.names == ("SIL", "a", "i", "k", "l", "o", "p", "s", "t")  # of all its words
    assert said.pronunciations == {"кот": (("k", "o", "t"), ("k", "a", "t")), "спит": (("s", "p", "i", "t"),)}
    before = lexicon_inputs(recipe)
    assert before == kept_inputs(recipe.run)
    moved = given.rename(tmp_path / "moved.txt")
    assert lexicon_inputs(recipe) == before  # the run has its own
    elsewhere = recipe.model_copy(update={"hmm": recipe.hmm.model_copy(update={"lexicon": str(moved)})})
    assert lexicon_inputs(elsewhere) == before
    moved.write_text(moved.read_text() + "ёж j o ʃ\n")
    assert lexicon_inputs(elsewhere)["hmm.lexicon"] != before["hmm.lexicon"]
    assert graph_language(elsewhere, 3)["hmm.lexicon"] != before["hmm.lexicon"]


def test_a_lexicon_that_is_not_there_is_named(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "hmm.lexicon=./none.txt")
    run_corpus(recipe)
    with pytest.raises(ValueError, match=r"^hmm\.lexicon=\./none\.txt: there is no such file"):
        ensure_lexicon(recipe)
    with pytest.raises(ValueError, match=r"hmm\.lexicon=grapheme is neither english nor graphemes"):
        recipe_of(tmp_path, "hmm.lexicon=grapheme")
    with pytest.raises(ValueError, match=r"hmm\.questions=phonetic are known for hmm\.lexicon=english alone"):
        recipe_of(tmp_path, "hmm.lexicon=graphemes", "hmm.questions=phonetic")


def test_english_is_told_by_nothing_new(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path)
    assert pronunciation_inputs(recipe) == {"lexicon version": "1", "hmm.g2p_words": "0"}
    assert read_phones(recipe.run) == ENGLISH  # as in a run of an earlier version, which has no list
    assert "hmm.lexicon" not in graph_inputs_of(recipe)


def graph_inputs_of(recipe: Recipe) -> dict[str, str]:
    filesystem.write_bytes(lm_text_uri(recipe.run), b"a cat\n")
    return graph_inputs(recipe.run, "0" * 12, graph_language(recipe, 3))


def test_words_outside_a_given_lexicon_are_pronounced_like_its_words(tmp_path: Path) -> None:
    letters = dict(
        zip(
            "абвгдеклмнопрст",
            ["a", "b", "v}", "g", "d", "e:", "k", "l", "m_j", "n", "o|", "p", "r", "s", "t"],
            strict=True,
        )
    )
    syllables = [first + second for first in "бвгдклмнпрст" for second in "аео"]
    words = [one + two for one in syllables for two in syllables[::5]]
    spelled = [(word, tuple(letters[letter] for letter in word)) for word in words]
    dictionary = Lexicon.from_pairs(spelled, PhoneSet.of(letters.values()))
    found = looked_up(["мопета", words[0], "xyz"], dictionary, 1000, str(tmp_path))
    assert found.pronunciations["мопета"] == (("m_j", "o|", "p", "e:", "t", "a"),)
    assert found.words == tuple(sorted(["мопета", words[0]]))
