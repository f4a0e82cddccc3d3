"""The verdicts of the benchmarks `cohorts` and `reweighting`, by the criteria at the top of their files."""

from __future__ import annotations

import pytest

from jobs.bench.cohorts import FIGURES, Discovered, discovery_verdict, mitigation_verdict
from jobs.bench.reweighting import Rates, is_clear, verdict_of
from ssl_asr.adaptation.measures import MEAN, VARIANCE


@pytest.mark.parametrize(
    ("variances", "means", "verdict"),
    [
        ([-0.1, -0.09, -0.06], [-0.01, 0.0, 0.005], "reproduced"),
        ([-0.3, 0.01, -0.1], [-0.01, -0.01, -0.01], "partly"),  # not in every seed
        ([-0.05, -0.05, -0.05], [0.0, 0.0, 0.0], "partly"),  # too little
        ([-0.3, -0.3, -0.3], [0.01, 0.01, 0.01], "not"),  # the mean rises
        ([0.1, -0.05, 0.0], [-0.1, -0.1, -0.1], "not"),
    ],
)
def test_of_mitigation(variances: list[float], means: list[float], verdict: str) -> None:
    changes = [
        {**dict.fromkeys(FIGURES, 0.0), VARIANCE: variance, MEAN: mean}
        for variance, mean in zip(variances, means, strict=True)
    ]
    assert mitigation_verdict(changes) == verdict


@pytest.mark.parametrize(
    ("gap", "share", "p", "verdict"),
    [
        (0.5, 0.1, [0.01, 0.01, 0.3], "reproduced"),
        (0.3, 0.1, [0.01, 0.01, 0.01], "partly"),  # a smaller gap than that by place
        (0.5, 0.1, [0.01, 0.2, 0.3], "not"),
        (0.5, 0.02, [0.01, 0.01, 0.01], "not"),
    ],
)
def test_of_discovery(gap: float, share: float, p: list[float], verdict: str) -> None:
    places = [Discovered(0.4, 0.2, 0.01, None)] * 3
    voices = [Discovered(gap, share, each, None) for each in p]
    assert discovery_verdict(places, voices) == verdict
    assert discovery_verdict(places, []) == "can't tell"


def test_of_reweighting() -> None:
    plain = [Rates(0.2, 0.10, 0.05), Rates(0.2, 0.11, 0.05), Rates(0.2, 0.12, 0.05)]
    better = [Rates(each.eer - 0.01, each.gap - 0.02, each.deviation - 0.01) for each in plain]
    unsure = [Rates(0.19, gap, 0.05) for gap in (0.01, 0.20, 0.10)]
    worse = [Rates(each.eer + 0.01, each.gap, each.deviation) for each in plain]
    verdicts = [[verdict_of(found, plain, can) for found in (better, unsure, worse)] for can in (True, False)]
    assert verdicts == [["reproduced", "partly", "not"], ["reproduced", "can't tell", "can't tell"]]


def test_one_seed_is_never_clear() -> None:
    assert not is_clear([-1.0])
    assert is_clear([-1.0, -1.1, -0.9])
    assert not is_clear([-1.0, 1.1, -0.9])
