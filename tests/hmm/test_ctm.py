"""Phones of CTM files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ssl_asr.hmm.ctm import read_ctm
from ssl_asr.lang.phones import PHONES


def read(folder: Path, *lines: str) -> dict[str, tuple[list[tuple[str, int]], str]]:
    """Phones with their ends, and to what frames behind them belong."""
    file = folder / "phones.ctm"
    file.write_text("\n".join(lines) + "\n")
    return {
        name: (
            [(PHONES[phone], end) for phone, end in zip(times.phones, times.ends.tolist(), strict=True)],
            times.rest,
        )
        for name, times in read_ctm(file)
    }


def test_phones_in_any_order_with_comments_and_confidences(tmp_path):
    found = read(
        tmp_path,
        ";; made elsewhere",
        "b A 0.00 0.10 SIL 1.00",
        "a 1 0.20 0.11 IY1_E 0.97",
        "a 1 0.00 0.08 SIL",
        "",
        "a 1 0.08 0.12 S_B",
    )
    assert found == {"b": ([("SIL", 10)], "last"), "a": ([("SIL", 8), ("S", 20), ("IY", 31)], "last")}


def test_gaps_are_silence_but_for_those_of_rounding(tmp_path):
    found = read(tmp_path, "a 1 0.30 0.10 S", "a 1 0.41 0.09 IY", "a 1 0.70 0.10 Z")
    assert found == {"a": ([("SIL", 30), ("S", 41), ("IY", 50), ("SIL", 70), ("Z", 80)], "silence")}


def test_a_frame_belongs_to_the_phone_at_its_middle(tmp_path):
    found = read(tmp_path, "a 1 0 0.0149 S", "a 1 0.0149 0.03 IY", "a 1 0.0449 0.1 SIL")
    assert found["a"][0] == [("S", 1), ("IY", 4), ("SIL", 14)]


@pytest.mark.parametrize(
    "line", ["a 1 0.0 S", "a 1 zero 0.1 S", "a 1 -1 0.1 S", "a 1 0.5 -0.1 S", "a 1 nan 0.1 S", "a 1 inf 0.1 S", "a"]
)
def test_a_line_that_is_none_is_named(tmp_path, line):
    with pytest.raises(ValueError, match=r"line 2 of .*phones\.ctm is not `utterance channel start duration phone`"):
        read(tmp_path, "a 1 0.0 0.1 S", line)


def test_other_phones_and_overlaps_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"line 1 of .*phones\.ctm has the phone '35'"):
        read(tmp_path, "a 1 0.0 0.1 35")
    with pytest.raises(ValueError, match=r"phones of a overlap at 0\.1 s"):
        read(tmp_path, "a 1 0.0 0.5 S", "a 1 0.1 0.1 IY")


def test_a_compressed_file_that_breaks_off_is_refused(tmp_path):
    file, whole = tmp_path / "phones.ctm.gz", gzip.compress(b"a 1 0.0 0.1 S\n")
    file.write_bytes(whole)
    assert [name for name, _ in read_ctm(file)] == ["a"]
    file.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="cannot be read"):
        list(read_ctm(file))
