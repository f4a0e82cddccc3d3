"""Hypotheses of other systems in every form that is read, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.evaluation.hypothesis_files import read_hypotheses, words_for
from ssl_asr.evaluation.transcribed_set import TranscribedSet
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

SPOKEN = TranscribedSet(
    "nemo:test.jsonl",
    tuple(
        Utterance(name, f"{name}.wav", "ann", 0, 1.0, text=text)
        for name, text in (("a 1", "how could you"), ("b", "i won't"), ("c", "well"))
    ),
    (Reject("d", "its text is empty"),),
    A_TO_Z,
)
WORDS = {"a 1": ("how", "could", "they"), "b": ("i", "won't"), "c": ()}


def write(folder: Path, name: str, content: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    return str(folder / name)


def transcript(name: str, text: str) -> str:
    return json.dumps({"name": name, "text": text, "segments": []}, indent=1)


def test_ctm_is_read_by_time_whatever_its_order(tmp_path: Path) -> None:
    lines = ";; a comment\nb 1 0.5 0.2 won't 0.9\na%201 1 0.9 0.3 they NA\nb 1 0.1 0.2 I\n"
    file = write(tmp_path, "h.ctm", lines + "a%201 1 0.1 0.3 how 0.5\na%201 1 0.4 0.1 could 0.5\n")
    assert words_for(read_hypotheses(file), SPOKEN) == WORDS


def test_lines_of_json_are_read_as_a_run_writes_them(tmp_path: Path) -> None:
    rows = [
        {"id": each.id, "set": "test", "reference": each.text, "hypothesis": " ".join(WORDS[each.id])}
        for each in SPOKEN.utterances
    ]
    file = write(tmp_path, "student.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert words_for(read_hypotheses(file), SPOKEN) == WORDS
    assert words_for(read_hypotheses(write(tmp_path, "student.json", json.dumps(rows))), SPOKEN) == WORDS


def test_objects_one_after_another_are_read_as_transcribe_prints_them(tmp_path: Path) -> None:
    printed = "".join(transcript(name, " ".join(words)) + "\n" for name, words in WORDS.items())
    assert words_for(read_hypotheses(write(tmp_path, "hyp.json", printed)), SPOKEN) == WORDS


def test_of_the_folder_of_an_evaluation_one_system_is_to_be_named(tmp_path: Path) -> None:
    name = write(tmp_path, "out/hypotheses/student.jsonl", "{}")
    write(tmp_path, "out/results.json", "{}")
    with pytest.raises(ValueError, match="name its hypotheses, such as ") as caught:
        read_hypotheses(str(tmp_path / "out"))
    assert name in str(caught.value)


def test_text_is_read_as_kaldi_writes_it(tmp_path: Path) -> None:
    spoken = replace(SPOKEN, utterances=SPOKEN.utterances[1:])
    for between in (" ", "  ", "\t"):
        file = write(tmp_path, "text.txt", f"\ufeffc\n\nb{between}I won’t!\r\nd anything\n")
        assert words_for(read_hypotheses(file), spoken) == {"b": ("i", "won't"), "c": ()}


def test_a_separator_of_lines_within_a_text_is_no_end_of_a_line(tmp_path: Path) -> None:
    rows = [{"id": name, "hypothesis": "\u2028".join(words)} for name, words in WORDS.items()]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert words_for(read_hypotheses(write(tmp_path, "h.jsonl", lines)), SPOKEN) == WORDS


@pytest.mark.parametrize("kind", ["json", "ctm"])
def test_a_folder_of_transcripts_is_one_set(tmp_path: Path, kind: str) -> None:
    contents = {
        "json": {
            "a 1": transcript("a 1", "how could they"),
            "b": transcript("b", "i won't"),
            "c": transcript("c", ""),
        },
        "ctm": {
            "a 1": "a%201 1 0 1 how\na%201 1 1 1 could\na%201 1 2 1 they\n",
            "b": "b 1 0 1 i\nb 1 1 1 won't\n",
            "c": "",
        },
    }
    for name, content in contents[kind].items():
        write(tmp_path / "out", f"{name}.{kind}", content)
    assert words_for(read_hypotheses(str(tmp_path / "out")), SPOKEN) == WORDS


def test_words_with_digits_and_signs_stay_and_count_as_errors(tmp_path: Path) -> None:
    spoken = replace(SPOKEN, utterances=SPOKEN.utterances[1:2], rejects=())
    assert words_for(read_hypotheses(write(tmp_path, "h.txt", "b I'm 21 <unk> well-known\n")), spoken) == {
        "b": ("i'm", "21", "<unk>", "well", "known")
    }
    assert words_for(read_hypotheses(write(tmp_path, "p.txt", "b I ca n't 3 it 's\n")), spoken) == {
        "b": ("i", "can't", "3", "it's")
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "h.txt",
            "a how\nb i\nc\n",
            "is of another set: 1 of its 3 utterances are not in nemo:test.jsonl, such as 'a'; "
            "ids there are like 'a 1'",
        ),
        ("h.txt", "b i won't\nc well\n", "lacks 1 of the 3 utterances of nemo:test.jsonl, such as 'a 1'"),
        ("h.ctm", "c 1 0 1 well\n", "lacks 2 of the 3 utterances"),
        ("h.ctm", "c 1 well\n", "line 1: 'c 1 well' is not `id channel start duration word`"),
        ("h.txt", "b i\nb won't\n", "two hypotheses of 'b'"),
        ("h.ctm", "b 1 0 1 i\nb 2 0.5 1 won't\n", "has two channels of 'b'; give each an id of its own"),
        ("h.json", '{"id": "b", "text": "what was said"}', "an entry lacks `id` and `hypothesis`"),
        ("h.json", "[1]", "has '1' where an object belongs"),
        ("h.json", "{", "is neither JSON nor lines of JSON"),
        ("h.json", '{"id": "b", "hypothesis": ""}\nand more', "(Expecting value: line 2 column 1"),
        ("h.json", '{"id": 5, "hypothesis": "x"}', "an entry lacks `id` and `hypothesis`"),
        (
            "h.jsonl",
            '{"id": "b", "hypothesis": "i", "reference": "not i"}\n{"id": "a 1", "hypothesis": ""}\n'
            '{"id": "c", "hypothesis": ""}\n',
            "is of another set: 'b' says 'not i' there, and 'i won't' in",
        ),
        ("h.srt", "1\n", "is no file of hypotheses; give .txt, .ctm, .json, .jsonl or a bundle"),
        ("out/h.srt", "1\n", "is no bundle, and has no transcripts"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    place = write(tmp_path, name, content)
    if name.startswith("out/"):
        place = str(tmp_path / "out")
    with pytest.raises(ValueError, match=r".") as caught:
        words_for(read_hypotheses(place), SPOKEN)
    assert said in str(caught.value)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_other_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such bundle or file"):
        read_hypotheses(str(tmp_path / "none.txt"))
    (tmp_path / "h.txt").write_bytes(b"b caf\xe9\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_hypotheses(str(tmp_path / "h.txt"))
