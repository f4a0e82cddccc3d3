import os
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssl_asr.corpus.sorted_lines import SortedLines

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",))))


@settings(deadline=None)
@given(LINES, st.integers(1, 40), st.integers(2, 5))
def test_lines_come_in_the_order_of_their_characters(lines: list[str], run_bytes: int, most_runs: int) -> None:
    with TemporaryDirectory() as folder:
        found = SortedLines(folder, run_bytes, most_runs)
        for line in lines:
            found.add(line)
        assert len(found) == len(lines)
        for _ in range(2):
            assert [line.decode() for line in found] == sorted(lines)
        assert len(os.listdir(folder)) < most_runs


def test_more_may_be_added_after_reading(tmp_path: Path) -> None:
    found = SortedLines(str(tmp_path), run_bytes=4)
    for line in ("two", "one", "two"):
        found.add(line)
    assert [*found] == [b"one", b"two", b"two"]
    found.add("three")
    assert [*found] == [b"one", b"three", b"two", b"two"]


@pytest.fixture(scope="module")
def peak() -> int:
    return _peak(20_000)


def _peak(count: int) -> int:
    """Bytes of Python's memory while so many lines are sorted and read."""
    with TemporaryDirectory() as folder:
        tracemalloc.start()
        found = SortedLines(folder, run_bytes=100_000, most_runs=8)
        for number in range(count):
            found.add(f"sentence {number * 7919 % count} of the corpus")
        assert sum(1 for _ in found) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


def test_memory_does_not_grow_with_the_lines(peak: int) -> None:
    assert _peak(160_000) < 1.5 * peak
