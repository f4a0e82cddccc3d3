from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.kaldi_pieces import kaldi_pieces
from ssl_asr.corpus.readers.reading import Reading, joined
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import orders_of, same_speech
from tests.corpus.readers.same import whole_kaldi as whole


@pytest.fixture
def plain(tmp_path: Path, clips: list[Clip]) -> Path:
    """Three recordings a, b and c of one utterance each."""
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, clip in zip("abc", clips, strict=False):
        soundfile.write(folder / f"{name}.wav", clip.samples, clip.rate)
    (folder / "wav.scp").write_text("a a.wav\nb b.wav\nc c.wav\n")
    (folder / "text").write_text("a one\nb two\nc three\n")
    (folder / "utt2spk").write_text("a x\nb x\nc y\n")
    return folder


def add(file: Path, *lines: str) -> None:
    with file.open("a") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def reasons(reading: Reading) -> dict[str, str]:
    return {reject.id: reject.reason for reject in reading.rejects}


def test_kaldi_segments_of_a_channel(kaldi_folder: Path, clips: list[Clip]) -> None:
    reading = whole(str(kaldi_folder))
    same_speech(reading, clips)
    assert reading.counts == {}
    assert {utterance.channel for utterance in reading.utterances} == {1}
    assert all(orders == list(range(len(orders))) for orders in orders_of(joined([reading])).values())


def test_kaldi_without_segments_or_texts(tmp_path: Path, clips: list[Clip]) -> None:
    soundfile.write(tmp_path / "a.flac", clips[0].samples, clips[0].rate)
    (tmp_path / "wav.scp").write_text(f"one {tmp_path / 'a.flac'}\ntwo sox x.wav -t wav - speed 1.1 |\n\n")
    reading = whole(str(tmp_path))
    (utterance,) = reading.utterances
    assert (utterance.text, utterance.speaker, utterance.duration) == (None, "one", math.inf)
    (timed,) = checked(reading, "unlabeled", Corpus()).utterances
    assert timed.duration == pytest.approx(len(clips[0].samples) / clips[0].rate)
    assert "corpus.pipes" in reasons(reading)["two"]
    ((told, count),) = reading.counts.items()
    assert "speed 1.1 |" in told
    assert count == 1


def test_files_of_any_editor_read_alike(plain: Path) -> None:
    before = whole(str(plain))
    (plain / "segments").write_text("a a 0 -1\nb b 0 -1\nc c 0 -1\n")
    for file in plain.iterdir():
        if file.suffix != ".wav":
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b" ", b" \t").replace(b"\n", b" \r\n\r\n"))
    assert whole(str(plain)) == before


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\xa0"])
def test_a_text_is_a_whole_line(plain: Path, inside: str) -> None:
    text = f"one{inside}two three"
    (plain / "text").write_text(f"a {text}\nb {inside}x\n", encoding="utf-8")
    found = [utterance.text for utterance in whole(str(plain)).utterances]
    assert found[0] == text
    assert found[1] == (f"{inside}x" if inside not in "\x0b\x0c" else "x")


def test_a_file_that_is_not_utf8_is_named(plain: Path) -> None:
    (plain / "text").write_bytes(b"a un\nb tr\xe8s\n")
    with pytest.raises(ValueError, match=r"plain/text line 2 is not UTF-8"):
        whole(str(plain))


@pytest.mark.parametrize("sides", ["a call A\nb call B\n", "a call 1\nb call 2\n", "a\nb\n"])
def test_the_side_of_a_call_is_no_channel(plain: Path, sides: str) -> None:
    before = whole(str(plain))
    (plain / "reco2file_and_channel").write_text(sides)
    assert whole(str(plain)) == before


def test_sides_of_a_stereo_file_need_a_channel(plain: Path, clips: list[Clip]) -> None:
    stereo = np.stack([clips[0].samples[:16000], clips[1].samples[:16000]], axis=1)
    soundfile.write(plain / "call.wav", stereo, 16000)
    (plain / "wav.scp").write_text("a call.wav\nb call.wav\nc c.wav\n")
    (plain / "reco2file_and_channel").write_text("a call A\nb call B\nc c A\n")
    reading = whole(str(plain))
    assert [utterance.id for utterance in reading.utterances] == ["c"]
    assert all("fifth field of segments" in reason for reason in reasons(reading).values())
    (plain / "segments").write_text("a a 0 1 0\nb b 0 1 1\nc c 0 1\n")
    assert [utterance.channel for utterance in whole(str(plain)).utterances] == [0, 1, 0]
    (plain / "segments").unlink()
    (plain / "wav.scp").write_text("a sox call.wav -t wav - remix 1 |\nb sph2pipe -f wav -c 2 call.wav |\nc c.wav\n")
    assert [utterance.channel for utterance in whole(str(plain)).utterances] == [0, 1, 0]
    (plain / "wav.scp").write_text("a call.wav\nb call.wav\nc c.wav\n")
    (plain / "reco2file_and_channel").unlink()
    assert whole(str(plain), 1).counts == {"utterances are audio that another utterance is too": 1}


def test_lines_of_segments_that_name_no_times_are_rejected(kaldi_folder: Path) -> None:
    before = whole(str(kaldi_folder)).utterances
    bad = {
        "lost": ("other 0 1", "missing from wav.scp"),
        "odd": ("call zero one", "the line of odd is not"),
        "short": ("call 0.5", "the line of short is not"),
        "empty": ("", "the line of empty is not"),
        "nan": ("call nan 2", "from nan to 2 s"),
        "end": ("call 0 nan", "from 0 to nan s"),
        "inf": ("call 0 inf", "from 0 to inf s"),
        "negative": ("call -0.01 2", "from -0.01 to 2 s"),
        "swapped": ("call 3 2", "from 3 to 2 s"),
        "minus": ("call 3 -2", "from 3 to -2 s"),
        "zero": ("call 1 0", "from 1 to 0 s"),
        "channel": ("call 0 1 C", "the line of channel is not"),
        "minus-channel": ("call 0 1 -1", "the line of minus-channel is not"),
        "many": ("call 0 1 1 1", "the line of many is not"),
    }
    add(kaldi_folder / "segments", *(f"{name} {line}" for name, (line, _) in bad.items()))
    reading = whole(str(kaldi_folder))
    assert reading.utterances == before
    found = reasons(reading)
    assert found.keys() == bad.keys()
    for name, (_, part) in bad.items():
        assert part in found[name]
        assert name == "lost" or found[name].startswith(f"{kaldi_folder / 'segments'}: ")
    assert reading.counts["segments of recordings that wav.scp lacks"] == 1


def test_minus_one_is_the_end_of_the_recording(plain: Path) -> None:
    (plain / "segments").write_text("a a 0.5 -1\n")
    (utterance,) = whole(str(plain)).utterances
    assert (utterance.offset, utterance.duration) == (0.5, math.inf)


def test_two_values_of_a_key_are_refused_and_the_same_twice_is_not(plain: Path) -> None:
    before = whole(str(plain))
    for table in ("text", "utt2spk", "wav.scp"):
        add(plain / table, (plain / table).read_text().split("\n")[0])
    assert whole(str(plain)) == before
    add(plain / "text", "a another")
    add(plain / "utt2spk", "b z")
    add(plain / "wav.scp", "c a.wav")
    reading = whole(str(plain))
    assert reading.utterances == ()
    found = reasons(reading)
    assert f"{plain / 'text'}: lines 1 and 5 give a different values, 'one' and 'another'" in found["a"]
    assert f"{plain / 'utt2spk'}: lines 2 and 5" in found["b"]
    assert f"{plain / 'wav.scp'}: lines 3 and 5" in found["c"]
    assert reading.counts == {"ids with two files, segments, texts or speakers": 3}


def test_two_segments_of_a_name_are_refused(kaldi_folder: Path) -> None:
    before = whole(str(kaldi_folder))
    lines = (kaldi_folder / "segments").read_text().splitlines()
    add(kaldi_folder / "segments", lines[1], "call-0 call 0 1 B")
    reading = whole(str(kaldi_folder))
    assert reasons(reading).keys() == {"call-0"}
    assert {each.id for each in before.utterances} - {each.id for each in reading.utterances} == {"call-0"}


def test_what_matches_nothing_is_counted(plain: Path) -> None:
    add(plain / "text", "d four", "e five")
    add(plain / "utt2spk", "d y")
    (plain / "wav.scp").write_text("a a.wav\nb b.wav\nnew c.wav\n")
    reading = whole(str(plain))
    assert [utterance.speaker for utterance in reading.utterances] == ["x", "x", "new"]
    assert reading.counts == {
        "texts without audio": 3,
        "entries of utt2spk without audio": 2,
        "utterances without a speaker in utt2spk, whose recording counts as one": 1,
    }
    (plain / "segments").write_text("a a 0 1\n")
    assert whole(str(plain)).counts["recordings without a segment"] == 2


@pytest.mark.parametrize("table", ["text", "utt2spk", "segments"])
def test_ids_that_all_differ_are_told_with_an_example(plain: Path, table: str) -> None:
    if table == "segments":
        (plain / table).write_text("a A 0 1\nb B 0 1\nc C 0 1\n")
    else:
        (plain / table).write_text((plain / table).read_text().upper())
    with pytest.raises(
        ValueError, match=rf"{table} and .*wav.scp have no id in common: {table} has 'A', wav.scp has 'a'"
    ):
        whole(str(plain))


def test_order_of_lines_and_signs_in_ids_are_no_matter(plain: Path) -> None:
    before = whole(str(plain)).utterances
    for table in ("text", "utt2spk", "wav.scp"):
        lines = [f"x/{line[0]}@y:1{line[1:]}\n" for line in (plain / table).read_text().splitlines()]
        (plain / table).write_text("".join(reversed(lines)))
    after = whole(str(plain)).utterances
    assert [(each.text, each.speaker) for each in after] == [(each.text, each.speaker) for each in before]


def test_no_wav_scp(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a Kaldi data directory: it has no wav\.scp"):
        whole(str(tmp_path))
    assert kaldi_pieces(str(tmp_path / "nowhere")) == []
