from __future__ import annotations

import gzip

import pytest

from ssl_asr.corpus.readers.lines import read_lines

PLAIN = "a see the cat\n\nb  my dog \u2028 see\x85fish\x0b\x0c\x1c\n  \nc café\n"
FOUND = [(1, "a see the cat"), (3, "b  my dog \u2028 see\x85fish\x0b\x0c\x1c"), (5, "c café")]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode().rstrip(b"\n"),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        gzip.compress(PLAIN.encode("utf-8-sig"), mtime=0),
    ],
)
def test_lines_end_at_line_feeds_alone(tmp_path, data):
    file = tmp_path / "text"
    file.write_bytes(data)
    assert list(read_lines(str(file))) == FOUND


def test_an_empty_file_has_no_lines(tmp_path):
    (tmp_path / "text").write_bytes(b"")
    assert list(read_lines(str(tmp_path / "text"))) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PLAIN.encode("utf-16"), "text is UTF-16; save it as UTF-8"),
        ("a b\n\nc café\n".encode("latin-1"), r"text line 3 is not UTF-8 \(byte 0xe9 after 'c caf'\); save"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-9], "text is not a whole gzip file .*; fetch it again"),
    ],
)
def test_a_file_that_is_no_such_text_is_named(tmp_path, data, message):
    file = tmp_path / "text"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        list(read_lines(str(file)))
