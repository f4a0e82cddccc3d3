import math

import pytest

from ssl_asr.serving.endpoints import Endpoints, SilenceRule


def reason(seconds: float, silence: float, cost: float = math.inf, **rules: object) -> str | None:
    return Endpoints(**rules).reason(seconds, silence, lambda: cost)


@pytest.mark.parametrize(
    ("seconds", "silence", "cost", "expected"),
    [
        (4.9, 4.9, 0, None),  # nothing was said
        (5.0, 5.0, math.inf, "silence"),
        (3.0, 0.5, 1.9, "silence"),  # a sentence may end here
        (3.0, 0.5, 2.1, None),
        (3.0, 1.0, 7.9, "silence"),
        (3.0, 1.0, 8.1, None),
        (4.0, 2.0, math.inf, "silence"),  # in the middle of a sentence
        (3.0, 3.0, 0, None),
        (19.9, 0.0, 0, None),
        (20.0, 0.0, math.inf, "length"),
    ],
)
def test_the_usual_rules_are_kaldis(seconds, silence, cost, expected):
    assert reason(seconds, silence, cost) == expected


def test_rules_can_be_others():
    assert reason(1.0, 0.3, rules=(SilenceRule(0.3),)) == "silence"
    assert reason(3.0, 3.0, rules=(), longest=60) is None


def test_the_cost_is_only_asked_for_where_it_matters():
    def unasked() -> float:
        raise AssertionError("asked")

    assert Endpoints().reason(1.0, 0.4, unasked) is None
    assert Endpoints((SilenceRule(0.4),)).reason(1.0, 0.4, unasked) == "silence"


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_silence_that_means_nothing_is_refused(seconds):
    with pytest.raises(ValueError, match="more than 0 s"):
        SilenceRule(seconds)


@pytest.mark.parametrize("longest", [0, math.inf, math.nan])
def test_an_utterance_has_a_bound(longest):
    with pytest.raises(ValueError, match="give 1 to 3600 s"):
        Endpoints(longest=longest)
