"""The clock of live audio, and latencies on it."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from ssl_asr.serving.streaming.latency import Latencies, Pace


class Clock:
    """A clock of work that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_waiting_the_clock_is_that_of_live_audio() -> None:
    clock = Clock()
    pace = Pace(False, clock)
    pace.wait(100.0)
    pace.begin(0.5)
    clock.now += 0.02
    assert pace.end() == pytest.approx(0.52)
    clock.now += 7  # no work
    pace.begin(0.4)  # this audio has been there for some time
    clock.now += 0.03
    assert pace.end() == pytest.approx(0.55)
    pace.begin(5.0)
    assert pace.end() == 5
    assert pace.busy == pytest.approx(0.05)


def test_waiting_keeps_real_time() -> None:
    began, pace = time.perf_counter(), Pace(waits=True)
    pace.wait(0.1)
    pace.begin(0.1)
    now = pace.end()
    assert 0.1 <= now <= time.perf_counter() - began
    pace.wait(0.0)  # is over


def test_each_frame_counts_from_its_end() -> None:
    latencies = Latencies()
    latencies.add(0.0, 0.2)
    assert math.isnan(latencies.percentile(50))
    latencies.add(0.09, 0.2)  # three frames: 170, 140 and 110 ms
    latencies.add(0.09, 9.9)  # no new one
    latencies.add(0.12, 0.2)  # 80 ms
    assert [latencies.percentile(percent) for percent in (1, 25, 26, 50, 95, 100)] == [
        *(0.08, 0.08, 0.11, 0.11, 0.17, 0.17)
    ]
    other = Latencies()
    other.add(0.03, 1.03)
    latencies.merge(other)
    assert latencies.percentile(100) == 1.0


@pytest.mark.parametrize("percent", [5, 50, 95, 99])
def test_percentiles_are_numpys(percent: float) -> None:
    latencies, delays = Latencies(), np.random.default_rng(0).integers(50, 400, 3000)
    for frame, delay in enumerate(delays.tolist()):
        latencies.add(0.03 * (frame + 1), 0.03 * (frame + 1) + delay / 1000)
    expected = np.percentile(delays, percent, method="inverted_cdf") / 1000
    assert latencies.percentile(percent) == pytest.approx(expected)
