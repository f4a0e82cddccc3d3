"""Progress lines: counts, estimates and times as a person reads them."""

from __future__ import annotations

import re

import pytest

from ssl_asr.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.fixture
def time(monkeypatch):
    """A clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr("ssl_asr.progress.time.monotonic", lambda: now[0])
    return now


def test_log_gets_a_line_an_interval_and_the_last(capsys, time):
    progress = Progress("labelling", 4, "shards", interval=5.0)
    for _ in range(4):
        time[0] += 3
        progress.advance()
    assert capsys.readouterr().err.splitlines() == [
        "  labelling: 2/4 shards, 6 s left",
        "  labelling: 4/4 shards, 12 s",
    ]


def test_estimate_leaves_out_what_was_found_done(capsys, time):
    progress = Progress("labelling", 10, "shards", interval=0.0)
    progress.skip(8)
    time[0] += 30
    progress.advance(note="x 40")
    assert capsys.readouterr().err == "  labelling: 9/10 shards, 30 s left, x 40\n"


def test_hours_are_counted_as_other_pieces(capsys, time):
    progress = Progress("cutting", 0.1 + 0.2 + 1.5, "hours of audio", interval=0.0)
    progress.skip(1.5)
    for hours in (0.2, 0.1):
        time[0] += 20
        progress.advance(hours)
    assert capsys.readouterr().err.splitlines() == [
        "  cutting: 1.70/1.80 hours of audio, 10 s left",
        "  cutting: 1.80/1.80 hours of audio, 40 s",
    ]


def test_terminal_gets_one_line_rewritten(capsys, time, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress("student", 2, "blocks")
    for _ in range(2):
        time[0] += 1
        progress.advance()
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert re.fullmatch(r"\r\x1b\[K  student: 1/2.*\r\x1b\[K  student: 2/2 blocks, 2 s\n", written)
