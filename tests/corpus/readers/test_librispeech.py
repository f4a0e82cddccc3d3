from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.readers.librispeech import read_librispeech
from ssl_asr.corpus.readers.librispeech_tree import librispeech_pieces
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.registry import pieces_at, read_listed
from ssl_asr.corpus.readers.trees import files_of
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import librispeech, librispeech_finetuning
from tests.corpus.readers.same import same_speech


@pytest.fixture
def tree(tmp_path: Path, spoken: list[Clip]) -> Path:
    """A chapter of every speaker."""
    for place, clip in enumerate(spoken):
        name = f"{clip.speaker}-7-{place:04d}"
        folder = tmp_path / "tree" / clip.speaker / "7"
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{name}.flac", clip.samples, clip.rate)
        with lines_of(folder).open("a") as file:
            file.write(f"{name} {clip.text.upper()}\n")
    return tmp_path / "tree"


def lines_of(folder: Path) -> Path:
    return folder / f"{folder.parent.name}-7.trans.txt"


def whole(path: str, *, texts: bool = True) -> Reading:
    """What a small tree lists."""
    (piece,) = librispeech_pieces(path)
    return read_librispeech(piece, texts=texts)


def names(reading: Reading) -> list[str]:
    return sorted(each.id for each in reading.utterances)


def test_braces_name_sets_of_which_none_may_be_missing(tree: Path, spoken: list[Clip]) -> None:
    source = f"{tree.parent}/{{tree,other}}"
    with pytest.raises(ValueError, match=r"1 of its 2 files are not there, the first of them is .*/other;"):
        pieces_at("librispeech", source)
    (tree.parent / "other").symlink_to(tree)
    assert [piece.uri for piece in pieces_at("librispeech", source)] == [f"{tree.parent}/other", str(tree)]


def test_librispeech_tree(tree: Path, spoken: list[Clip]) -> None:
    reading = whole(str(tree))
    same_speech(reading, spoken)
    assert reading.counts == {}
    assert whole(str(tree), texts=False) == reading
    lines = lines_of(tree / "100" / "7")
    with lines.open("a") as file:
        file.write("100-7-9999 GONE\n")
    (reject,) = whole(str(tree)).rejects
    assert reject.id == "100-7-9999"
    assert "100-7-9999.flac is missing" in reject.reason


def test_forms_of_lines_and_endings(tree: Path, spoken: list[Clip]) -> None:
    for number, lines in enumerate(sorted(tree.rglob("*.trans.txt"))):
        text = lines.read_text().replace(" ", "\t" if number else "  ", 1)
        lines.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n\n").encode())
    for number, file in enumerate(sorted(tree.rglob("*.flac"))):
        if number % 2:
            file.rename(file.with_suffix(".FLAC"))
        else:
            samples, rate = soundfile.read(file)
            soundfile.write(file.with_suffix(".wav"), samples, rate)
            file.unlink()
    same_speech(whole(str(tree)), spoken)
    (tree / "100" / "7" / "100-7-0000.mp3").touch()  # of two files the one without loss
    same_speech(whole(str(tree)), spoken)
    lines = lines_of(tree / "100" / "7")
    lines.write_text("100-7-0000 ONE\u2028TWO\n100-7-0000 OTHER\n100-7-0001\n")
    found = whole(str(tree / "100")).utterances
    # Of one name, both: the checks reject the second.
    assert [(each.id, each.text) for each in found] == [
        ("100-7-0000", "ONE\u2028TWO"),
        ("100-7-0000", "OTHER"),
        ("100-7-0001", ""),
    ]


def test_linked_folders_are_read(tmp_path: Path, tree: Path) -> None:
    before = whole(str(tree))
    links = tmp_path / "links"
    links.mkdir()
    for number, speaker in enumerate(sorted(tree.iterdir())):
        if number:
            (links / speaker.name).symlink_to(speaker)
        else:
            shutil.copytree(speaker, links / speaker.name)
    (links / "100" / "7" / "up").symlink_to(links)
    subsets = tmp_path / "subsets"
    subsets.mkdir()
    for name in ("train-clean-100", "train-clean-100-again"):
        (subsets / name).symlink_to(tree)
    for folder in (links, subsets):
        assert names(whole(str(folder))) == names(before)
        (piece,) = librispeech_pieces(str(folder))
        assert len([*files_of(piece)]) == 3 + len(before.utterances)


def test_audio_without_a_line_is_counted_or_used(tree: Path) -> None:
    before = whole(str(tree))
    lines_of(tree / "100" / "7").unlink()
    lines = lines_of(tree / "101" / "7")
    lines.write_text(lines.read_text().splitlines()[0] + "\n")
    with_texts = whole(str(tree))
    assert len(with_texts.utterances) == 3
    assert with_texts.counts == {"audio files without a line in a trans.txt": 3}
    without = whole(str(tree), texts=False)
    assert without.counts == {}
    assert {each.id: each.speaker for each in without.utterances} == {
        each.id: each.speaker for each in before.utterances
    }
    assert [each.text for each in without.utterances].count(None) == 3


def test_trees_of_other_forms(tmp_path: Path, tree: Path) -> None:
    light, mls = tmp_path / "light", tmp_path / "mls"
    for file in ("small/9/emma_mp3/emma_10_64kb.flac", "small/9/emma_mp3/emma_9_64kb.flac", "small/9/b/1.5.flac"):
        (light / file).parent.mkdir(parents=True, exist_ok=True)
        (light / file).touch()
    (light / "small/9/b/1.5.json").touch()
    found = whole(str(light), texts=False).utterances
    assert sorted((each.id, each.speaker) for each in found) == [
        ("small/9/b/1.5", "9"),
        ("small/9/emma_mp3/emma_10_64kb", "9"),
        ("small/9/emma_mp3/emma_9_64kb", "9"),
    ]
    with pytest.raises(ValueError, match=r"light is not a LibriSpeech tree: there is no \*\.trans\.txt below it"):
        whole(str(light))
    audio = mls / "train" / "audio" / "9" / "8"
    audio.mkdir(parents=True)
    (audio / "9_8_000000.flac").touch()
    (mls / "train" / "transcripts.txt").write_text("9_8_000000\tyes\n")
    with pytest.raises(ValueError, match=r"has the transcripts of Multilingual LibriSpeech; use mls:.*/mls/train$"):
        whole(str(mls))
    assert [each.speaker for each in whole(str(mls), texts=False).utterances] == ["9"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for texts in (True, False):
        for place in ("empty", "file"):
            with pytest.raises(ValueError, match=f"{place} is not a LibriSpeech tree"):
                whole(str(tmp_path / place), texts=texts)
    assert librispeech_pieces(str(tmp_path / "nowhere")) == []


def test_the_labelled_part_of_libri_light(tmp_path: Path, spoken: list[Clip]) -> None:
    part = librispeech_finetuning(tmp_path / "librispeech_finetuning", spoken)
    same_speech(whole(str(part)), spoken[:3])
    same_speech(whole(str(part / "1h")), spoken[:2])
    same_speech(whole(str(part / "1h" / "0")), spoken[:1])
    assert whole(str(part)).counts == {}


def test_sets_of_librispeech_have_their_names(tmp_path: Path, spoken: list[Clip]) -> None:
    for name, clip in zip(("test-clean", "test-other", "train-clean-100"), spoken, strict=False):
        librispeech(tmp_path / "LibriSpeech" / name, [clip])
    found = read_listed("librispeech", str(tmp_path / "LibriSpeech" / "t*-*"))
    assert [each.tags for each in found.utterances].count({}) == 1
    assert {each.tags.get("set") for each in found.utterances} == {"test-clean", "test-other", None}
    (one,) = whole(str(tmp_path / "LibriSpeech" / "test-other" / spoken[1].speaker)).utterances
    assert one.tags == {"set": "test-other"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_told(tree: Path) -> None:
    (tree / "101").chmod(0)
    try:
        with pytest.raises(ValueError, match=r"101 can't be read .*; change its permissions"):
            whole(str(tree))
    finally:
        (tree / "101").chmod(0o700)
