from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.corpus.readers import sorted_tables
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.corpus.readers.sorted_tables import key_at, part_of_keys
from ssl_asr.store import filesystem

KEYS = ["a", "a-1", "b", "b", "ca", "é", "日本"]  # as LC_ALL=C sort orders them


@pytest.fixture(params=["disk", "bucket"])
def file(request: pytest.FixtureRequest, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lines of several lengths, some blank, with a byte order mark and two forms of ends."""
    monkeypatch.setattr(sorted_tables, "_BLOCK_BYTES", 5)
    lines = [f"{key}{' ' * (1 + number % 3)}value {number}\r\n\n \n" for number, key in enumerate(KEYS)]
    uri = f"{bucket if request.param == 'bucket' else tmp_path}/table"
    filesystem.write_bytes(uri, b"\xef\xbb\xbf" + "".join(lines).encode().rstrip())
    return uri


def keys_in(file: str, part: tuple[int, int | None]) -> list[str]:
    return [line.split()[0] for _, line in read_lines(file, *part)]


def test_a_range_of_keys_is_a_range_of_lines(file: str) -> None:
    bounds = [None, "", *KEYS, "a-2", "aa", "c", "z", "日"]
    for first in bounds:
        for last in bounds:
            if first is None or last is None or first <= last:
                found = keys_in(file, part_of_keys(file, first, last))
                assert found == [each for each in KEYS if (first or "") <= each and (last is None or each < last)]


def test_the_key_at_every_byte(file: str) -> None:
    size = len(filesystem.read_bytes(file))
    for place in range(size + 1):
        assert key_at(file, place) == next(iter(keys_in(file, (place, None))), None)


def test_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "table").write_text("\n\n")
    assert key_at(str(tmp_path / "table"), 0) is None
    assert keys_in(str(tmp_path / "table"), part_of_keys(str(tmp_path / "table"), "a", "b")) == []
