"""Scored utterances from a run and from a file; what is wrong with a file is told with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.scoring import Edits
from ssl_asr.evaluation.set_files import write_set_files
from ssl_asr.evaluation.set_results import set_results
from ssl_asr.evaluation.transcribed_set import TranscribedSet
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.fairness.file_table import table_of_file
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.fairness.scored_table import ScoredTable, channel_of, main_values, speakers_of
from ssl_asr.lang.text import A_TO_Z
from ssl_asr.recipe import Recipe
from ssl_asr.store.utterance import Utterance

LINE = {"id": "u1", "reference": "how could you", "hypothesis": "how could", "speaker": "ann", "tags": {"zip": "7"}}


def write(folder: Path, *lines: object) -> str:
    file = folder / "said.jsonl"
    file.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines) + "\n")
    return str(file)


def test_a_run_joins_hypotheses_with_the_manifest(finished_run: Recipe) -> None:
    said = references(finished_run, "test")
    words = {name: tuple((each.text or "").split()[1:]) for name, each in said.items()}
    slab = DecodedSlab({}, 0.0, tuple(Hypothesis(name, found, 0, 0, 0) for name, found in words.items()))
    write_transcripts(finished_run.run, "student", [slab], said)
    table = table_of_run(finished_run, "student")
    assert len(table.utterances) == len(said) == 4  # two in two conditions
    for each in table.utterances:
        reference = said[each.scored.id]
        assert each.scored.edits == Edits(len((reference.text or "").split()), deletions=1)
        assert (each.scored.speaker, each.tags) == (reference.speaker, reference.tags)
    assert list(speakers_of(table).names) == ["test-0", "test-1"]
    with pytest.raises(ValueError, match="has no hypotheses of 'teacher'; it has those of student"):
        table_of_run(finished_run, "teacher")
    del said[next(iter(said))]
    write_transcripts(finished_run.run, "joint", [DecodedSlab({}, 0, (Hypothesis("x", (), 0, 0, 0),))], {"x": SAID})
    with pytest.raises(ValueError, match="the hypotheses of 'joint' are of another test split"):
        table_of_run(finished_run, "joint")


SAID = Utterance("x", "x.wav", "ann", 0, 1.0, text="how could you", tags={"region": "north", "set": "phone"})


def test_a_run_without_hypotheses_says_what_to_run(finished: Recipe) -> None:
    with pytest.raises(ValueError, match="has no hypotheses of 'student'; run `ssl-asr evaluate"):
        table_of_run(finished, "student")


def test_what_evaluate_writes_has_what_is_needed(tmp_path: Path) -> None:
    spoken = TranscribedSet("nemo:x.jsonl", (SAID,), (), A_TO_Z)
    systems = {"bundle": {"x": ("how", "good", "you")}}
    results = set_results(spoken, systems, Draws(10, 1))
    write_set_files(str(tmp_path), results=results, spoken=spoken, systems=systems, rejects=())
    (each,) = table_of_file(str(tmp_path / "hypotheses" / "bundle.jsonl")).utterances
    assert (each.scored.speaker, each.scored.set, each.scored.edits) == ("ann", "phone", Edits(3, substitutions=1))
    assert each.tags == {"region": "north", "set": "phone"}


def test_a_file_is_read_with_tags_of_text_and_numbers(tmp_path: Path) -> None:
    tags = {"latitude": 37.5, "zip": 94, "nothing": None, "odd": "a\x1b[31m"}
    more = {"id": "u2", "reference": None, "hypothesis": "", "speaker": "bob"}
    table = table_of_file(write(tmp_path, LINE, "", {**LINE, "id": "u3", "tags": tags, "set": "phone"}, more))
    assert (table.system, len(table.utterances)) == ("said", 2)  # of u2 no text is known
    second = table.utterances[1]
    assert second.tags == {"set": "phone", "latitude": "37.5", "zip": "94", "odd": "a?[31m"}
    assert channel_of(second) == "phone"
    assert table.tag_names == ["latitude", "odd", "set", "zip"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON; write one object a line"),
        ([1], "line 2: this is no JSON object"),
        (
            {"id": "u2", "reference": "a", "hypothesis": "a"},
            "line 2: `speaker` is missing or is no text; a",
        ),
        ({**LINE, "id": "u2", "speaker": ""}, "line 2: `id` and `speaker` may not be empty"),
        (LINE, "line 2: 'u1' was there before; keep one line of it"),
        ({**LINE, "id": "u2", "tags": ["a"]}, "line 2: `tags` is no object"),
        ({**LINE, "id": "u2", "tags": {"a": True}}, "line 2: the tag 'a' is neither text nor a number"),
    ],
)
def test_a_line_that_is_wrong_is_told(tmp_path: Path, line: object, said: str) -> None:
    file = write(tmp_path, LINE, line)
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refused:
        table_of_file(file)
    assert str(refused.value).startswith(f"{file}, {said}")


def test_a_file_without_words_or_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no utterance with a reference text"):
        table_of_file(write(tmp_path, {**LINE, "reference": None}))
    (tmp_path / "said.jsonl").write_bytes(b"\xff\xfe{")
    with pytest.raises(ValueError, match=r"said.jsonl is not UTF-8 text; convert it"):
        table_of_file(str(tmp_path / "said.jsonl"))


def test_a_speaker_has_the_value_of_most_words(tmp_path: Path) -> None:
    values = [("how could you", "near"), ("well", "far"), ("i would", None)]
    lines = [
        {**LINE, "id": f"u{number}", "reference": text, "tags": {} if value is None else {"device": value}}
        for number, (text, value) in enumerate(values)
    ]
    table: ScoredTable = table_of_file(write(tmp_path, *lines))
    found = main_values(table, speakers_of(table).utterances, lambda each: each.tags.get("device"))
    assert (found.values, found.unknown, found.varying, found.other_words) == (["near"], 1, 1, 0.25)
