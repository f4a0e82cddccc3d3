"""Word pieces of recorded speech's texts: what goes in comes out, whatever the order of the texts."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.lang.pieces import BLANK_ID, UNKNOWN_ID, PieceWord
from ssl_asr.lang.text import A_TO_Z, EVERY_SCRIPT
from ssl_asr.lang.word_pieces import WordPieces, train_word_pieces
from tests.conftest import CACHE

SYMBOLS = ("<sot>", "<eot>")
# Cyrillic, accents, a script that writes vowels as marks, one without spaces, and letters outside 16 bits.
OTHER_SCRIPTS = (
    "Пожалуйста, введите ваш пароль. Спасибо",
    "Où est la clé de l'église? Là-bas, à côté",
    "कृपया अपना पासवर्ड दर्ज करें",
    "请输入密码 谢谢",
    "𐐔𐐯𐑅𐐨𐑉𐐯𐐻 𐐔𐐯𐑅",
)


@cache
def transcripts() -> tuple[str, ...]:
    """Of the lines of a game."""
    spoken = open_speech(CACHE).utterances
    return tuple(A_TO_Z.normalise(each.text or "") for each in spoken if each.speaker.startswith("drascula"))


@cache
def trained() -> WordPieces:
    return train_word_pieces(transcripts(), 200, SYMBOLS)


@cache
def of_other_scripts() -> WordPieces:
    return train_word_pieces(map(EVERY_SCRIPT.normalise, OTHER_SCRIPTS), 66)


def test_texts_come_out_as_they_went_in() -> None:
    pieces = trained()
    assert len(pieces) == 200
    assert pieces.pieces[:4] == ("<blk>", "<unk>", *SYMBOLS)
    encoded = [pieces.encode(text) for text in transcripts()]
    assert [pieces.decode(ids) for ids in encoded] == list(transcripts())
    assert {index for ids in encoded for index in ids} == set(range(4, 200))  # each of the others is of use
    assert 2 < sum(map(len, transcripts())) / sum(map(len, encoded)) < 5  # characters a piece


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("etaoinshrdlu'", min_size=1, max_size=30), max_size=6))
def test_words_that_training_has_not_seen_come_out_too(words: list[str]) -> None:
    ids = trained().encode(" ".join(words))
    assert trained().decode(ids) == " ".join(words)
    assert [each.word for each in trained().words(ids)] == words


@pytest.mark.parametrize("text", OTHER_SCRIPTS)
def test_any_script(text: str) -> None:
    spoken = EVERY_SCRIPT.normalise(text)
    ids = of_other_scripts().encode(spoken)
    assert of_other_scripts().decode(ids) == spoken
    assert UNKNOWN_ID not in ids


def test_the_order_of_the_texts_does_not_matter() -> None:
    shuffled = random.Random(3).sample(transcripts(), len(transcripts()))
    assert train_word_pieces(iter(shuffled), 200, SYMBOLS).model == trained().model


def test_another_process_finds_the_same_and_is_sent_the_same() -> None:
    program = (
        "import pickle, sys; from ssl_asr.lang.word_pieces import train_word_pieces\n"
        "texts, size, symbols = pickle.load(sys.stdin.buffer)\n"
        "sys.stdout.buffer.write(pickle.dumps(train_word_pieces(texts, size, symbols)))"
    )
    given = pickle.dumps((transcripts(), 200, SYMBOLS))
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=True)
    other = pickle.loads(done.stdout)
    assert other.model == trained().model
    assert other.encode(transcripts()[0]) == trained().encode(transcripts()[0])


def test_a_word_is_whole_however_long_its_text() -> None:
    """sentencepiece by itself leaves out lines of more than 4,192 bytes."""
    pieces = train_word_pieces(["ab" * 3000, "c " * 9000], 6)
    assert set(pieces.pieces[2:]) == set("▁abc")


def test_words_have_their_pieces() -> None:
    pieces = trained()
    sot, eot = map(pieces.symbol_id, SYMBOLS)
    assert (sot, eot) == (2, 3)
    first, second = pieces.encode("vampire"), pieces.encode("the")
    ids = [sot, *first, eot, BLANK_ID, *second]
    assert pieces.words(ids) == [
        PieceWord("vampire", 1, len(first)),
        PieceWord("the", len(ids) - len(second), len(ids) - 1),
    ]
    begin = pieces.pieces.index("▁")
    letter = pieces.pieces.index("e")
    # A word needs characters; a text need not begin with the mark of a word, as after a cut.
    assert pieces.words([begin, begin, letter, begin]) == [PieceWord("e", 1, 2)]
    assert pieces.words([letter]) == [PieceWord("e", 0, 0)]
    assert pieces.words([]) == []


def test_what_is_not_known_is_shown() -> None:
    ids = trained().encode("naïve <sot>")
    assert UNKNOWN_ID in ids
    assert not {2, 3, BLANK_ID} & set(ids)
    assert trained().decode(ids).startswith("na<unk>ve ")
    with pytest.raises(ValueError, match="no symbol <cot>"):
        trained().symbol_id("<cot>")
    with pytest.raises(ValueError, match="no symbol the"):
        trained().symbol_id("the")


@pytest.mark.parametrize("size", [20, 100_000])
def test_a_size_that_does_not_fit_is_refused_with_one_that_does(size: int) -> None:
    with pytest.raises(ValueError, match=r"ask for (\d+) or (more|less)") as refused:
        train_word_pieces(transcripts(), size)
    said = int(str(refused.value).split("ask for ")[1].split()[0])
    assert len(train_word_pieces(transcripts(), said)) == said
    with pytest.raises(ValueError, match="ask for"):
        train_word_pieces(transcripts(), said + (1 if size > said else -1))


def test_no_text_and_reserved_characters_are_refused() -> None:
    for texts in ([], ["", " "]):
        with pytest.raises(ValueError, match="no text has a word"):
            train_word_pieces(texts, 10)
    with pytest.raises(ValueError, match="take it out"):
        train_word_pieces(["a▁b"], 10)


def test_a_damaged_model_is_refused_by_name() -> None:
    model = trained().model
    for damaged in (model[:1000], b"", b"words"):
        with pytest.raises(ValueError, match=r"^pieces\.model (is damaged|has no <blk>).*; delete it and run again$"):
            WordPieces(damaged, "pieces.model")
    assert WordPieces(model).checksum == trained().checksum
