"""Lists cut into pieces hold each line once, whatever the size of a piece."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ssl_asr.corpus.pieces import pieces
from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.store.patterns import matching_files

LINES = ["", "a", "bb \u2028 x", "é" * 30, "", "last", "ä"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_every_line_is_in_one_piece(tmp_path, ending, is_ended):
    text = ending.join(LINES) + (ending if is_ended else "")
    (tmp_path / "list").write_bytes(text.encode())
    for size in range(1, 60):
        cut = pieces(matching_files(str(tmp_path / "list")), by_lines=True, size=size)
        assert (cut[0].begin, cut[-1].end) == (0, len(text.encode()))
        found = [line for piece in cut for _, line in read_lines(piece.uri, piece.begin, piece.end)]
        assert found == [line for line in LINES if line]


def test_packed_files_and_others_are_whole(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 50 + bytes(range(256))))
    (tmp_path / "b").write_bytes(b"y" * 100)
    files = matching_files(str(tmp_path / "*"))
    assert [Path(piece.uri).name for piece in pieces(files, by_lines=True, size=50)] == ["a.gz", "b", "b"]
    assert len(pieces(files, by_lines=False, size=50)) == 2


def test_a_packed_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ssl_asr.corpus.pieces.MOST_PACKED_BYTES", 60)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(range(256))))
    with pytest.raises(ValueError, match=r"a\.gz is one gzip file of 0 MB, which can't be read in parts; unpack it"):
        pieces(matching_files(str(tmp_path / "a.gz")), by_lines=True, size=50)
    assert pieces(matching_files(str(tmp_path / "a.gz")), by_lines=True)[0].listed_bytes > 8 * 256


def test_a_changed_file_is_another_piece(tmp_path):
    file = tmp_path / "list"
    file.write_text("a\n")
    before = pieces(matching_files(str(file)), by_lines=True)
    assert pieces(matching_files(str(file)), by_lines=True) == before
    file.write_text("b\nc\n")
    assert pieces(matching_files(str(file)), by_lines=True)[0].inputs() != before[0].inputs()
