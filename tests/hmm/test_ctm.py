"""Phones of CTM files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ssl_asr.hmm.ctm import read_ctm
from ssl_asr.hmm.phone_times import Unusable
from ssl_asr.lang.phones import ENGLISH


def read(folder: Path, *lines: str) -> dict[str, tuple[list[tuple[str, int]], str] | Unusable]:
    """Phones with their ends, and to what frames behind them belong; or why an utterance can't be used."""
    file = folder / "phones.ctm"
    file.write_text("\n".join(lines) + "\n")
    return {
        name: times
        if isinstance(times, Unusable)
        else (
            [(ENGLISH.names[phone], end) for phone, end in zip(times.phones, times.ends.tolist(), strict=True)],
            times.rest,
        )
        for name, times in read_ctm(file, ENGLISH)
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


@pytest.mark.parametrize("symbol", ["SPN", "NSN", "SPN_S", "sil", "sp", "SIL_S"])
def test_only_a_silence_at_an_end_says_that_silence_at_the_end_is_listed(tmp_path, symbol):
    found = read(tmp_path, "a 1 0.0 0.1 S", "b 1 0.0 0.1 S", f"b 1 0.1 0.1 {symbol}")
    assert found["a"][1] == ("silence" if symbol.startswith(("SPN", "NSN")) else "last")
    found = read(tmp_path, "a 1 0.0 0.1 S", "b 1 0.0 0.1 S", f"b 1 0.1 0.1 {symbol}", "b 1 0.2 0.1 S")
    assert found["a"][1] == "silence"


@pytest.mark.parametrize("line", ["a 1 0.0 S", "a"])
def test_a_line_that_is_none_is_named(tmp_path, line):
    with pytest.raises(ValueError, match=r"line 2 of .*phones\.ctm is not `utterance channel start duration phone`"):
        read(tmp_path, "a 1 0.0 0.1 S", line)


@pytest.mark.parametrize(
    ("lines", "kind", "reason"),
    [
        (["b 1 zero 0.1 S"], "unreadable", "phones.ctm has the start zero and the duration 0.1; fix it"),
        (["b 1 -1 0.1 S"], "unreadable", "has the start -1"),
        (["b 1 0.5 -0.1 S"], "unreadable", "the duration -0.1"),
        (["b 1 nan 0.1 S"], "unreadable", "has the start nan"),
        (["b 1 inf 0.1 S"], "unreadable", "has the start inf"),
        (["b 1 1e9 0.1 S"], "unreadable", "has the start 1e9"),
        (["b 1 0.0 0.1 35"], "unreadable", "has the phone '35'"),
        (["b 1 0.0 0.5 S", "b 1 0.1 0.1 IY"], "unreadable", "overlap at 0.1 s"),
        (["b 1 0.0 0.1 SPN_S"], "unknown_words", "has SPN_S, which stands for a word that the lexicon"),
    ],
)
def test_an_utterance_that_makes_no_sense_spoils_no_other(tmp_path, lines, kind, reason):
    found = read(tmp_path, *lines, "b 1 0.6 0.1 S", "a 1 0.0 0.1 S")
    assert found["a"] == ([("S", 10)], "silence")
    assert found["b"].kind == kind
    assert reason in found["b"].reason


def test_a_compressed_file_that_breaks_off_is_refused(tmp_path):
    file, whole = tmp_path / "phones.ctm.gz", gzip.compress(b"a 1 0.0 0.1 S\n")
    file.write_bytes(whole)
    assert [name for name, _ in read_ctm(file, ENGLISH)] == ["a"]
    file.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match="cannot be read"):
        list(read_ctm(file, ENGLISH))
