"""Words of another recogniser: what is read, what becomes of it in the run, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ssl_asr.hypotheses.outside.words import OutsideWord, words_within
from ssl_asr.hypotheses.sets import hypothesis_set
from ssl_asr.hypotheses.stage import run_hypotheses, todo_hypotheses
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_report import read_rejects
from ssl_asr.serving.results import Word
from ssl_asr.serving.transcribing.formats.plain import as_json, ctm
from ssl_asr.serving.transcribing.transcript import Source, Transcript, TranscriptSegment
from ssl_asr.store.hypotheses import TimedWord
from tests.hypotheses.conftest import CLEAN, asking, contents, rows_of, texts
from tests.hypotheses.outside.written import read_outside

SAID = (Word("a", 0.1, 0.3, 0.75), Word("cat", 0.3, 0.6, None))


def transcript(name: str, words: tuple[Word, ...]) -> Transcript:
    return Transcript(name, Source("x.wav", 2.0), (TranscriptSegment(0.0, 2.0, words),))


def write(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def outside(own: Recipe, source: str) -> Recipe:
    return asking(own, teacher=source)


@pytest.mark.parametrize("kind", ["ctm", "jsonl"])
def test_what_transcribe_writes_is_read(tmp_path: Path, kind: str) -> None:
    form = {"ctm": ctm, "jsonl": as_json}[kind]
    file = write(tmp_path, f"words.{kind}", form(transcript("rec 0", SAID)) + form(transcript("rec1", SAID[:1])))
    one, two = OutsideWord("a", 0.1, pytest.approx(0.3), 0.75), OutsideWord("cat", 0.3, pytest.approx(0.6))
    assert read_outside(f"{kind}:{file}") == {"rec 0": (one, two), "rec1": (one,)}
    Path(f"{file}.gz").write_bytes(gzip.compress(Path(file).read_bytes()))
    assert read_outside(f"{kind}:{file}.gz") == read_outside(f"{kind}:{file}")


def test_lines_of_a_run_are_read_with_their_confidences(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "hypothesis": "a cat", "confidences": [0.5, None]},
        {"id": "b", "hypothesis": ""},
        {"name": "c", "text": "cats sat", "segments": []},
    ]
    file = write(tmp_path, "student.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    found = read_outside(f"jsonl:{file}")
    assert found["a"] == (OutsideWord("a", posterior=0.5), OutsideWord("cat"))
    assert (found["b"], found["c"]) == ((), (OutsideWord("cats"), OutsideWord("sat")))


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("ctm", "rec0 1 0.1 x a\n", "'rec0 1 0.1 x a' has a time or a confidence that is none; give seconds from 0"),
        ("ctm", "rec0 1 -0.1 0.2 a\n", "has a time or a confidence that is none"),
        ("ctm", "rec0 1 0.1 0.2 a 87\n", "and a confidence of 0 to 1, or NA"),
        ("ctm", "rec0 1 0.1\n", r"line 1: 'rec0 1 0.1' is not `id channel start duration word`"),
        ("jsonl", '{"id": "a", "text": "b"}', "an entry lacks `id` and `hypothesis`, or `name` and `text`"),
        ("jsonl", '{"name": "a", "text": "b", "segments": [{}]}', "the words of 'a' have not `word`, `start`"),
        ("jsonl", '{"id": "a", "hypothesis": "b", "confidences": [1, 1]}', "the words of 'a' have not `word`"),
        ("jsonl", 2 * '{"id": "a", "hypothesis": "b"}', "has 'a' twice; keep one"),
        ("jsonl", "a cat", "is neither JSON nor lines of JSON"),
    ],
)
def test_a_broken_file_is_told_in_a_sentence(tmp_path: Path, kind: str, content: str, says: str) -> None:
    file = write(tmp_path, "words", content)
    with pytest.raises(ValueError, match=says) as refused:
        read_outside(f"{kind}:{file}")
    assert file in str(refused.value)


@pytest.mark.parametrize("kind", ["ctm", "jsonl"])
def test_a_missing_file_and_a_folder_are_told(own: Recipe, tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"hypotheses\.teacher={kind}:/no/file: there is no /no/file; fix the path"):
        run_hypotheses(outside(own, f"{kind}:/no/file"))
    with pytest.raises(ValueError, match=r"names a folder; name its files, such as .*/\*"):
        run_hypotheses(outside(own, f"{kind}:{tmp_path}"))


def test_times_become_frames_and_words_those_of_the_run_s_texts() -> None:
    """A frame of 30 ms belongs to a word if its middle does; a last frame that was padded is cut off."""
    written = [
        OutsideWord("Twenty-One", 0.0, 0.3, 0.5),
        OutsideWord("cats,", 0.3, 0.46),
        OutsideWord("sat", 0.5, 1.2),
    ]
    assert words_within(written, 30, A_TO_Z) == (
        TimedWord("twenty", 0, 5, 0.5),
        TimedWord("one", 5, 10, 0.5),
        TimedWord("cats", 10, 15),
        TimedWord("sat", 17, 30),
    )
    assert words_within([OutsideWord("Well!", posterior=0.5)], 30, A_TO_Z) == (TimedWord("well", posterior=0.5),)


def test_words_that_can_not_be_used_are_told() -> None:
    with pytest.raises(ValueError, match=r"its words hold < >; write a-z and apostrophe"):
        words_within([OutsideWord("<unk>")], 30, A_TO_Z)
    with pytest.raises(ValueError, match=r"its words end at 1\.50 s, but it lasts 0\.90 s; is it other audio\?"):
        words_within([OutsideWord("a", 0.0, 1.5)], 30, A_TO_Z)


def lines(said: Mapping[str, str]) -> str:
    return "".join(json.dumps({"id": name, "hypothesis": text}) + "\n" for name, text in said.items())


def test_words_go_to_the_rows_of_their_utterances_and_others_are_counted(own: Recipe, tmp_path: Path) -> None:
    said = {each.id: str(each.text) for each in CLEAN[1:]}
    odd = {"rec0@room": "a copy", "elsewhere": "a cat", "odd-silence": "", "odd-nan": "room 12"}
    recipe = outside(own, f"jsonl:{write(tmp_path, 'words.jsonl', lines(said | odd))}")
    report = run_hypotheses(recipe)
    found = texts(rows_of(recipe))
    assert {name: text for name, text in found.items() if text} == said
    assert (report.pieces, report.rejected) == (2, 1)
    (reject,) = read_rejects(recipe, "hypotheses")
    assert reject.id == "odd-nan"
    assert reject.reason.startswith("its words hold 1 2; write ")
    # rec0, alone@room and odd-no-frame are missing; the copy and another utterance are too much.
    assert (report.figures["not_in_the_file"], report.figures["of_other_speech"]) == (3, 2)
    assert "confidence" not in report.figures


def test_a_run_goes_on_without_the_file_that_it_has_read(own: Recipe, tmp_path: Path) -> None:
    file = write(tmp_path, "words.jsonl", lines({each.id: str(each.text) for each in CLEAN}))
    recipe = outside(own, f"jsonl:{file}")
    first = run_hypotheses(recipe)
    before, made = contents(recipe), hypothesis_set(recipe)
    Path(file).rename(tmp_path / "elsewhere")
    assert hypothesis_set(recipe) == made
    assert todo_hypotheses(recipe, []) == []
    again = run_hypotheses(recipe)
    assert (again.skipped, again.figures) == (2, first.figures)
    assert contents(recipe) == before
    with pytest.raises(ValueError, match=r"there is no .*words\.ctm; fix the path"):
        hypothesis_set(outside(own, f"ctm:{tmp_path}/words.ctm"))


def test_other_words_under_the_same_name_are_another_set(own: Recipe, tmp_path: Path) -> None:
    file = write(tmp_path, "words.jsonl", lines({"rec0": "a cat"}))
    recipe = outside(own, f"jsonl:{file}")
    run_hypotheses(recipe)
    before = hypothesis_set(recipe)
    write(tmp_path, "words.jsonl", lines({"rec0": "two cats"}))
    assert hypothesis_set(recipe).id != before.id
    (todo,) = todo_hypotheses(recipe, [])
    assert todo.because == ("teacher",)
    run_hypotheses(recipe)
    assert texts(rows_of(recipe))["rec0"] == "two cats"


def test_words_of_other_speech_alone_are_refused(own: Recipe, tmp_path: Path) -> None:
    recipe = outside(own, f"jsonl:{write(tmp_path, 'words.jsonl', lines({'elsewhere': 'a cat'}))}")
    with pytest.raises(
        ValueError, match=r"is of other utterances, such as elsewhere, than the unlabeled ones, such as"
    ):
        run_hypotheses(recipe)
    assert hypothesis_set(recipe).store.entries("unlabeled") == []
