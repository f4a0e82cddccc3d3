import os
import tracemalloc
from pathlib import Path

import pytest

from ssl_asr.store import filesystem, large_files
from ssl_asr.store.large_files import file_checksum, lines_of, write_file, write_lines_if_changed
from ssl_asr.store.ledger import checksum


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_file_in_pieces_is_that_of_its_bytes(tmp_path: Path, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_files, "PIECE_BYTES", piece)
    lines = [b"one", b"", "zwölf".encode(), b"three and four"]
    uri = str(tmp_path / "below" / "lines.txt")
    write_lines_if_changed(uri, lines)
    data = b"".join(line + b"\n" for line in lines)
    assert filesystem.read_bytes(uri) == data
    assert file_checksum(uri) == checksum(data)
    assert [*lines_of(uri)] == [line.decode() for line in lines]
    write_file(f"{uri}.copy", Path(uri))
    assert filesystem.read_bytes(f"{uri}.copy") == data


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", []), ("\n", [""]), ("one", ["one"]), ("a\n\nb", ["a", "", "b"]), ("a\u2028b\x1c\n", ["a\u2028b\x1c"])],
)
def test_only_line_feeds_end_a_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    file = tmp_path / "lines.txt"
    file.write_text(text)
    assert [*lines_of(str(file))] == lines


def test_lines_are_in_memory_a_piece_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of three and one of a hundred pieces need as much."""
    monkeypatch.setattr(large_files, "PIECE_BYTES", 1 << 16)
    peaks = []
    for pieces in (3, 100):
        file, lines = tmp_path / f"{pieces}.txt", pieces * large_files.PIECE_BYTES // 16
        file.write_bytes(b"three and fours\n" * lines)
        tracemalloc.start()
        assert sum(1 for _ in lines_of(str(file))) == lines
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_an_unchanged_file_keeps_its_time(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    write_lines_if_changed(str(file), [b"one", b"two"])
    os.utime(file, ns=(1, 1))
    write_lines_if_changed(str(file), [b"one", b"two"])
    assert file.stat().st_mtime_ns == 1
    write_lines_if_changed(str(file), [b"one", b"three"])
    assert file.stat().st_mtime_ns > 1
    assert file.read_text() == "one\nthree\n"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.txt cannot be read"):
        file_checksum(str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match=r"none\.txt cannot be read"):
        next(lines_of(str(tmp_path / "none.txt")))
