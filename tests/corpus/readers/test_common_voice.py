from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.corpus import pieces as cutting
from ssl_asr.corpus.audio import audio_info, read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.pieces import pieces
from ssl_asr.corpus.readers.common_voice import read_common_voice
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.registry import pieces_at, read_listed
from ssl_asr.corpus.sources import ReadPiece
from ssl_asr.lang.language import language_of
from ssl_asr.lang.text import EVERY_SCRIPT
from ssl_asr.recipe import Corpus
from ssl_asr.store.patterns import matching_files
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import common_voice
from tests.corpus.readers.conftest import upload


@pytest.fixture
def language(tmp_path: Path, spoken: list[Clip]) -> Path:
    return common_voice(tmp_path / "cy", {"train": spoken[:4], "other": spoken[4:]})


def listed(language: Path) -> Reading:
    """Of unlabeled speech whose lengths are believed."""
    return read_common_voice(str(language / "other.tsv"), lengths=True)


def write(language: Path, *lines: str, name: str = "train") -> Reading:
    (language / f"{name}.tsv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return read_common_voice(str(language / f"{name}.tsv"))


def test_clips_with_their_talkers_and_sentences(language: Path, spoken: list[Clip]) -> None:
    usable = checked(read_listed("common-voice", str(language / "train.tsv")), "labeled", Corpus())
    assert (usable.rejects, usable.rates.keys()) == ((), {"48000"})
    found = sorted(usable.utterances, key=lambda each: each.id)
    assert [each.id for each in found] == [f"common_voice_cy_{17_000_001 + place}" for place in range(4)]
    for utterance, clip in zip(found, spoken, strict=False):
        assert utterance.speaker == f"{int(clip.speaker):0128x}"
        samples = read_audio(utterance.audio, 0.0, utterance.duration, 0, clip.rate)
        shared = min(len(samples), len(clip.samples))
        assert np.corrcoef(samples[:shared], clip.samples[:shared])[0, 1] > 0.95


def test_lengths_that_are_given_are_there(language: Path) -> None:
    """So none of unlabeled speech is opened, and the front end finds all that was promised."""
    reading = listed(language)
    assert checked(reading, "unlabeled", Corpus(), trusted=True).files == frozenset()
    for each in reading.utterances:
        seconds = audio_info(each.audio).seconds
        assert seconds - 0.15 < each.duration < seconds + 0.05
        read_audio(each.audio, 0.0, each.duration, 0, 16000)
    # Where audio is opened in any case, it is heard to its end.
    for texts in (True, False):
        whole = read_listed("common-voice", str(language / "other.tsv"), texts=texts)
        assert {each.duration for each in whole.utterances} == {math.inf}
    for trust in (True, False):
        recipe = Corpus(trust_lengths=trust)
        read = ReadPiece("common-voice", "unlabeled", recipe, language_of("english").alphabet, ".")
        (piece,) = pieces_at("common-voice", str(language / "other.tsv"))
        for each in read(piece).utterances:
            seconds = audio_info(each.audio).seconds
            assert each.duration == seconds or trust
            assert (read(piece).files == frozenset()) == trust


def test_lengths_may_be_missing_or_zero(language: Path) -> None:
    file = language / "clip_durations.tsv"
    lines = file.read_text().splitlines()
    lines[5] = lines[5].split("\t")[0] + "\t0"
    file.write_text("\n".join(lines[:6]) + "\n")
    reading = listed(language)
    assert [each.duration for each in reading.utterances] == [math.inf, math.inf]
    before = pieces_at("common-voice", str(language / "other.tsv"))
    file.unlink()
    assert listed(language) == reading
    assert pieces_at("common-voice", str(language / "other.tsv")) != before


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("client_id path sentence up_votes", "x a.mp3 {} 2"),  # versions 2 to 16
        ("client_id path sentence_id sentence up_votes", "x a.mp3 9f {} 2"),  # since 17
        ("path sentence client_id", "a {} x"),  # before version 3 some names had no ending
    ],
)
@pytest.mark.parametrize("sentence", ['"Dw i\'n dysgu."', '""A"" b"', "tŷ\u2028mawr, ŵy", "'", ""])
def test_columns_of_all_versions_and_plain_quotes(language: Path, header: str, row: str, sentence: str) -> None:
    lines = [each.replace(" ", "\t") for each in (header, row)]
    reading = write(language, lines[0], lines[1].replace("{}", sentence))
    (utterance,) = reading.utterances
    assert (utterance.id, utterance.speaker, utterance.text) == ("a", "x", sentence)
    assert utterance.audio == f"{language}/clips/a.mp3"
    if sentence.startswith('"D'):
        assert EVERY_SCRIPT.normalise(utterance.text or "") == "dw i'n dysgu"


def test_lines_that_are_no_clips_are_told(language: Path) -> None:
    header = "client_id\tpath\tsentence\tup_votes"
    reading = write(language, header, "x\ta.mp3\tone\t2", "x\tb.mp3\tcut", "x\tc.mp3\ta\\\tb\t2", "", "x\t\tthree\t2")
    assert [each.id for each in reading.utterances] == ["a"]
    file = language / "train.tsv"
    assert [(reject.id, reject.reason) for reject in reading.rejects] == [
        (f"line {number}", f"{file} line {number} is no clip ({why}); fix it or leave it out")
        for number, why in (
            (3, "it has 3 columns, and the header 4"),
            (4, "it has 5 columns, and the header 4"),
            (6, "it has no path"),
        )
    ]
    assert write(language, header, "\ta.mp3\tone\t2").utterances[0].speaker == f"{language}/clips/a.mp3"


@pytest.mark.parametrize("first", ["client_id\tpath", "a,b,c", ""])
def test_other_files_are_told(language: Path, first: str) -> None:
    with pytest.raises(
        ValueError, match=r"train\.tsv is not a list of Common Voice: its first line has no column .*se"
    ):
        write(language, first)


def test_parts_are_the_whole(language: Path, spoken: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(language / "train.tsv")
    whole = read_common_voice(file)
    found = pieces(matching_files(file), by_lines=True, size=150)
    assert len(found) > 4
    parts = [read_common_voice(piece.uri, part=(piece.begin, piece.end)) for piece in found]
    assert tuple(each for part in parts for each in part.utterances) == whole.utterances
    assert all(part.rejects == () for part in parts)
    assert cutting.PIECE_BYTES > 150


def test_a_bucket_has_the_same(language: Path, bucket: str) -> None:
    upload(language, f"{bucket}/cy")
    for name in ("train", "other"):
        here, there = (
            read_listed("common-voice", f"{place}/{name}.tsv", texts=name == "train").utterances
            for place in (language, f"{bucket}/cy")
        )
        assert [replace(each, audio="") for each in here] == [replace(each, audio="") for each in there]
        assert there[0].audio.startswith(f"{bucket}/cy/clips/common_voice_cy_")
