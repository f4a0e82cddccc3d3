from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.store.patterns import in_full, matching_files


def test_patterns(tmp_path):
    for name in ("one/part-1.jsonl", "one/part-2.jsonl", "one/two/part-3.jsonl", "one/part.txt", "[x].jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    for root in (str(tmp_path), f"file://{tmp_path}"):
        for pattern, wanted in (
            ("one/part-*.jsonl", ["part-1.jsonl", "part-2.jsonl"]),
            ("one/**/part-?.jsonl", ["part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]),
            ("one/part-[2-9].jsonl", ["part-2.jsonl"]),
            ("one/part-[!2].jsonl", ["part-1.jsonl"]),
            ("*.jsonl", ["[x].jsonl"]),
            ("**/p*-?.*", ["part-1.jsonl", "part-2.jsonl", "part-3.jsonl"]),
        ):
            assert [Path(file.uri).name for file in matching_files(f"{root}/{pattern}")] == wanted
        assert matching_files(f"{root}/none-*") == []
    assert [file.size for file in matching_files(str(tmp_path / "[x].jsonl"))] == [2]


def test_braces_stand_for_numbers_and_words(tmp_path):
    assert in_full("part-{008..011}.tar") == [f"part-{each}.tar" for each in ("008", "009", "010", "011")]
    assert in_full("{2..0}") == ["2", "1", "0"]
    assert in_full("{9..10}") == ["9", "10"]
    assert in_full("{a,b}/{1..2}") == ["a/1", "a/2", "b/1", "b/2"]
    for plain in ("part-{}.tar", "{a}", "{1..x}", "s3://bucket/{"):
        assert in_full(plain) == [plain]
    for name in ("part-00.tar", "part-01.tar", "part-{0..1}.txt", "b/part-00.tar", "b/part-01.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    for root in (str(tmp_path), f"file://{tmp_path}"):

        def names(pattern: str, root: str = root) -> list[str]:
            return [file.uri.removeprefix(f"{root}/") for file in matching_files(f"{root}/{pattern}")]

        assert names("part-{00..01}.tar") == ["part-00.tar", "part-01.tar"]
        assert names("part-{0..1}.txt") == ["part-{0..1}.txt"]  # a file that is there is no pattern
        assert names("{b/,}part-*{0,1}.tar") == [
            "b/part-00.tar",
            "b/part-01.tar",
            "part-00.tar",
            "part-01.tar",
        ]
        assert names("none-{0..9}.tar") == []
        with pytest.raises(ValueError, match=r"2 of its 4 files are not there, the first of them is .*/part-02\.tar"):
            names("part-{00..03}.tar")
