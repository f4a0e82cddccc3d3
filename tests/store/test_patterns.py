from __future__ import annotations

from pathlib import Path

from ssl_asr.store.patterns import matching_files


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
