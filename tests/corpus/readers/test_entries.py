from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ssl_asr.corpus.readers.entries import (
    Places,
    channel_of,
    check_one_a_line,
    entry_of,
    given,
    name_of,
    number_of,
    object_of,
    objects_of,
    seconds_of,
    tags_of,
    text_of,
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "it is not JSON"),
        ("[1]", "it is a JSON list, not an object"),
        ("7", "it is a JSON int"),
        ("[" * 100_000, "it is not JSON"),
    ],
)
def test_a_line_is_one_object(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        entry_of(line)


@pytest.mark.parametrize(("first", "fix"), [(' [{"a": 1},', "jq -c '.\\[\\]'"), ("{", "jq -c . ")])
def test_json_that_is_not_an_object_a_line_is_refused_with_its_fix(first: str, fix: str) -> None:
    with pytest.raises(ValueError, match=rf"list\.json .*not one.* a line; convert it: {fix}.*list\.json"):
        check_one_a_line("list.json", first)


def test_nothing_but_null_and_the_empty_string_is_not_given() -> None:
    row = {"zero": 0, "null": None, "empty": "", "no": False}
    assert given(row, "null", "empty", "absent", "zero") == 0
    assert given(row, "no") is False
    assert given(row, "null", "empty", "absent") is None
    assert name_of(row, "null", "zero") == "0"
    assert (number_of(row, "empty"), number_of(row, "zero"), channel_of(row, "zero")) == (None, 0.0, 0)
    assert (text_of(row, "empty"), text_of(row, "null")) == ("", None)
    assert (object_of(row, "null"), objects_of(row, "absent")) == ({}, [])


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (name_of, True, "its key is True, neither a string nor a whole number"),
        (name_of, 1.5, "neither a string nor a whole number"),
        (name_of, math.nan, "its key is nan"),
        (name_of, ["a"], "neither a string"),
        (name_of, "\ud800", "no character"),
        (text_of, 7, "its key is 7, not a string"),
        (text_of, "a\udc00", "no character"),
        (number_of, math.nan, "its key is nan, not a number"),
        (number_of, -math.inf, "its key is -inf"),
        (number_of, "long", "its key is 'long', not a number"),
        (number_of, True, "not a number"),
        (number_of, 10**400, "not a number"),
        (number_of, [0] * 99, "its key is .*\\.\\.\\., not a number"),
        (seconds_of, -0.5, "its key is -0.5, which is negative"),
        (channel_of, -1, "its key is -1, not a whole number from 0 on"),
        (channel_of, 0.5, "not a whole number"),
        (channel_of, "A", "not a number"),
        (object_of, [], "its key is \\[\\], not an object"),
        (objects_of, {}, "not a list of objects"),
        (objects_of, [1], "not a list of objects"),
    ],
)
def test_other_values_are_told(read, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read({"key": value}, "key")


def test_tags_are_strings() -> None:
    assert tags_of({"tags": {"set": "far"}}) == {"set": "far"}
    assert tags_of({"tags": None}) == tags_of({}) == {}
    for tags in (["far"], {"set": 1}, 0, [], {"set": "\ud800"}):
        with pytest.raises(ValueError, match=r"its tags are .*, not an object of strings|no character"):
            tags_of({"tags": tags})


def test_numbers_may_be_written_as_strings() -> None:
    row = json.loads('{"a": "1.5", "b": "1", "c": 2.0}')
    assert (number_of(row, "a"), channel_of(row, "b"), channel_of(row, "c"), name_of(row, "b")) == (1.5, 1, 2, "1")


def test_relative_paths_are_looked_for_in_several_folders(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for file in (one / "a.wav", two / "a.wav", two / "b.wav"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    places = Places(str(one), str(two))
    found = {name: places.find(name) for name in ("a.wav", "b.wav", "c.wav")}
    assert found == {"a.wav": f"{one}/a.wav", "b.wav": f"{two}/b.wav", "c.wav": f"{one}/c.wav"}
    assert places.missing == {f"{one}/c.wav", f"{two}/c.wav"}
    first = Places(str(one))
    assert first.find(f"{two}/b.wav") == f"{two}/b.wav"
    assert first.find("s3://bucket/b.wav") == "s3://bucket/b.wav"
    assert first.find("~/b.wav") == str(Path.home() / "b.wav")
    assert first.find("~nobody-of-this-name.wav") == f"{one}/~nobody-of-this-name.wav"
