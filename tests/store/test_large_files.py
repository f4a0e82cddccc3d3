import os
from pathlib import Path

import pytest

from ssl_asr.store import filesystem, large_files
from ssl_asr.store.large_files import file_checksum, write_lines_if_changed
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
