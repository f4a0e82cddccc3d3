"""An outcome is the same after it was a file."""

from __future__ import annotations

import json

import pytest

from ssl_asr.studies.outcome import Outcome
from ssl_asr.studies.outcome_file import outcome_in, to_json
from tests.studies.made_up import outcome, with_bytes


@pytest.mark.parametrize("found", [outcome(), with_bytes()])
def test_json_gives_the_same_outcome_back(found: Outcome) -> None:
    assert to_json(outcome_in(json.loads(to_json(found)), "kept.json")) == to_json(found)
    assert outcome_in(json.loads(to_json(found)), "kept.json").compared[0].overall == found.compared[0].overall


def test_figures_of_a_former_version_get_their_interval_and_verdict_anew() -> None:
    values = json.loads(to_json(with_bytes()))
    for each in values["compared"]:
        if each["comparison"]["figure"]:
            each["cells"][0] |= {"low": 0.0, "high": 0.0}
            each["verdict"] = "not"
    assert to_json(outcome_in(values, "kept.json")) == to_json(with_bytes())
