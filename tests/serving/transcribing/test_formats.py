"""Each format, read by a package that nobody here wrote."""

import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
import webvtt
from lhotse import SupervisionSegment, SupervisionSet

from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.evaluation.hypothesis_files import read_hypotheses
from ssl_asr.serving.results import Word
from ssl_asr.serving.transcribing.formats.cues import LINE_CHARACTERS, MAX_SECONDS, cues, lines_of
from ssl_asr.serving.transcribing.formats.writing import FORMATS, write_transcript
from ssl_asr.serving.transcribing.transcript import Source, Transcript, TranscriptSegment

TEXT = (
    "the quick brown fox jumps over the lazy dog and then it runs away into the dark forest where nobody has ever "
    "been before because it is said that the trees there talk to each other when the night falls"
)
SPEECH = TEXT.split()


def _transcript(begin: float = 0.0, name: str = "talk", words: list[str] = SPEECH) -> Transcript:
    """A word each 0.4 s with small gaps, and a pause of half a second after every eighth."""
    timed, at = [], begin
    for number, word in enumerate(words, 1):
        timed.append(Word(word, at, at + 0.35, 0.9))
        at += 0.4 if number % 8 else 0.9
    other = (Alternative(" ".join(words), -0.1), Alternative("something else", -3.5))
    segments = (TranscriptSegment(begin, at, tuple(timed), other), TranscriptSegment(at, at + 1, ()))
    return Transcript(name, Source("/data/talk.wav", at + 1), segments)


def _captions(kind: str, transcript: Transcript) -> list:
    return list(webvtt.from_buffer(io.StringIO(FORMATS[kind](transcript)), format=kind))


@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize("begin", [0.0, 3599.2, 36_000.5, 360_000.0])
def test_captions_hold_all_words_at_their_times(kind: str, begin: float) -> None:
    transcript = _transcript(begin)
    found = _captions(kind, transcript)
    assert " ".join(" ".join(caption.text.split()) for caption in found) == " ".join(SPEECH)
    assert found[0].start_in_seconds == int(begin)
    starts = {word.start: word for word in transcript.words}
    for caption in found:
        hours, minutes, seconds = (float(part) for part in caption.start.replace(",", ".").split(":"))
        start = hours * 3600 + minutes * 60 + seconds
        nearest = min(starts, key=lambda time: abs(time - start))
        assert nearest == pytest.approx(start, abs=0.001)
        assert starts[nearest].word == caption.text.split()[0]


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_special_characters_come_back(kind: str) -> None:
    transcript = _transcript(words=["<unk>", "at&t", "a", "-->", "b", "été", "привет", "שלום"])
    (caption,) = _captions(kind, transcript)
    text = FORMATS[kind](transcript)
    assert text.count("-->") == 1
    if kind == "vtt":
        assert "&lt;unk&gt; at&amp;t a --&gt; b" in text.replace("\n", " ")
    assert "été привет שלום" in " ".join(caption.text.split())


def test_cues_are_readable_and_cut_at_pauses() -> None:
    found = cues(_transcript())
    assert all(len(line) <= LINE_CHARACTERS for cue in found for line in cue.lines)
    assert all(len(cue.lines) <= 2 and cue.end - cue.start <= MAX_SECONDS * 1000 for cue in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    lengths = [sum(len(line.split()) for line in cue.lines) for cue in found]
    assert all(length % 8 == 0 for length in lengths[:-1])


def test_cues_of_odd_times_and_words() -> None:
    words = (
        Word("x" * 100, 0.0, 0.1),
        Word("b", 0.1, 0.1),
        Word("c", 5.0, 5.0),
        Word("long", 9, 30),
    )
    found = cues(Transcript("odd", Source("odd.wav", 40), (TranscriptSegment(0, 40, words),)))
    assert [cue.lines for cue in found] == [("x" * 100,), ("b",), ("c",), ("long",)]
    assert [(cue.start, cue.end) for cue in found] == [(0, 100), (100, 1100), (5000, 6000), (9000, 30000)]
    same = tuple(TranscriptSegment(1.0, 1.0, (Word(word, 1.0, 1.0),)) for word in "abc")
    instants = cues(Transcript("same", Source("same.wav", 2), same))
    assert all(cue.start < cue.end for cue in instants)


def test_lines_are_equal_in_length() -> None:
    assert lines_of(["short", "line"]) == ("short line",)
    assert lines_of(("a" * 20, "b" * 20, "c" * 20, "d" * 20)) == (f"{'a' * 20} {'b' * 20}", f"{'c' * 20} {'d' * 20}")


def test_ctm_is_read_by_lhotse_and_its_words_do_not_overlap(tmp_path: Path) -> None:
    transcript = _transcript(3599.203)
    uri = write_transcript(transcript, "ctm", str(tmp_path))
    whole = SupervisionSegment("talk", "talk", 0, 4000, channel=1, text="")
    (read,) = SupervisionSet.from_segments([whole]).with_alignment_from_ctm(uri)
    items = read.alignment["word"]
    assert [item.symbol for item in items] == SPEECH
    assert items[0].start == pytest.approx(3599.2)
    assert items[0].duration == pytest.approx(0.35, abs=0.011)
    lines = [line.split() for line in Path(uri).read_text().splitlines()]
    assert all(len(line) == 6 and line[:2] == ["talk", "1"] for line in lines)
    ends = [round((float(line[2]) + float(line[3])) * 100) for line in lines]
    assert all(end <= round(float(line[2]) * 100) for end, line in zip(ends, lines[1:], strict=False))


def test_ctm_names_have_no_blanks_and_unknown_confidence_is_na() -> None:
    words = (Word("hello", 0.0, 0.5),)
    transcript = Transcript("my talk\u00a01", Source("x", 1.0, channel=1), (TranscriptSegment(0, 1, words),))
    assert FORMATS["ctm"](transcript) == "my%20talk%C2%A01 2 0.00 0.50 hello NA\n"


def test_ctm_names_come_back(tmp_path: Path) -> None:
    """As `evaluate --against` reads them."""
    words = (TranscriptSegment(0, 1, (Word("hello", 0.0, 0.5),)),)
    for name in ("a b", "a%20b", "100%", "%2520", "été\u2003x"):
        write_transcript(Transcript(name, Source("x", 1.0), words), "ctm", str(tmp_path))
        assert read_hypotheses(f"{tmp_path}/{name}.ctm").texts == {name: "hello"}


def test_json_holds_everything_and_txt_a_line_a_segment() -> None:
    transcript = _transcript()
    read = json.loads(FORMATS["json"](transcript))
    assert read["text"] == transcript.text == " ".join(SPEECH)
    assert read["source"] == {
        "uri": "/data/talk.wav",
        "seconds": transcript.source.seconds,
        "offset": 0,
        "channel": 0,
    }
    first, second = read["segments"]
    assert first["words"][0] == {"word": "the", "start": 0.0, "end": 0.35, "confidence": 0.9}
    assert [each["text"] for each in first["alternatives"]] == [transcript.text, "something else"]
    assert second["words"] == []
    assert FORMATS["txt"](transcript) == transcript.text + "\n"


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_said_is_a_whole_file(tmp_path: Path, kind: str) -> None:
    silent = Transcript("deep/er/silence", Source("silence.wav", 9.0), (TranscriptSegment(0, 9, ()),))
    uri = write_transcript(silent, kind, str(tmp_path))
    assert uri == f"{tmp_path}/deep/er/silence.{kind}"
    assert Path(uri).read_text() == FORMATS[kind](silent)
    if kind == "vtt":
        assert _captions(kind, silent) == []
    assert [each.name for each in Path(uri).parent.iterdir()] == [f"silence.{kind}"]
