"""Trying again: only what passes with time, after the stated pauses, and not where the caller would not wait."""

from __future__ import annotations

import threading

import pytest

from ssl_asr.store import retry
from ssl_asr.store.retry import PAUSES, retried, without_retries

OUTAGE = OSError("When reading information for key 'x': AWS Error SLOW_DOWN during HeadObject operation")


class Store:
    """Raises each of `errors` in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.asked = list(errors), 0

    @retried
    def read(self, name: str) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return name


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", seconds.append)
    return seconds


def test_an_outage_is_waited_for_longer_each_time(slept: list[float]) -> None:
    assert Store(OUTAGE, OUTAGE).read("x") == "x"
    assert slept == [1.0, 4.0]


def test_after_the_last_pause_the_error_is_the_stores_own(slept: list[float]) -> None:
    with pytest.raises(OSError, match="SLOW_DOWN"):
        Store(*[OUTAGE] * 4).read("x")
    assert slept == list(PAUSES)


@pytest.mark.parametrize("error", [ValueError("no keys"), FileNotFoundError("x"), OSError(28, "No space left")])
def test_what_does_not_pass_with_time_is_told_at_once(error: Exception, slept: list[float]) -> None:
    store = Store(error)
    with pytest.raises(type(error)):
        store.read("x")
    assert (slept, store.asked) == ([], 1)


def test_who_does_not_wait_hears_at_once_and_others_still_wait(slept: list[float]) -> None:
    store, elsewhere = Store(OUTAGE), Store(OUTAGE)
    with without_retries():
        other = threading.Thread(target=elsewhere.read, args=("x",))
        other.start()
        other.join()
        with pytest.raises(OSError, match="SLOW_DOWN"):
            store.read("x")
    assert (store.asked, elsewhere.asked, slept) == (1, 2, [1.0])
    assert Store(OUTAGE).read("x") == "x"
