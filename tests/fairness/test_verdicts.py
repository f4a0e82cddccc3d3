"""The verdicts of the benchmark `cohorts`, by the criteria at the top of its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs.bench import cohorts
from jobs.bench.cohort_claims import sheet_of
from jobs.bench.cohort_tables import as_json
from jobs.bench.cohort_verdicts import (
    CONTROL,
    VOICES,
    Adapted,
    Discovered,
    Seen,
    discovery_verdict,
    mitigation_verdict,
)
from jobs.bench.known_regions import Heard
from ssl_asr.adaptation.measures import FIGURES, MAXIMUM, MEAN, VARIANCE
from ssl_asr.fairness.scored_table import Counts
from ssl_asr.recipe import Recipe
from tests.studies.made_up import MADE


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
    assert mitigation_verdict(changes, 3, (-0.2, -0.01), -0.01) == verdict


def test_of_mitigation_without_seed_interval_or_gain_over_the_control() -> None:
    changes = [{MEAN: 0.0, VARIANCE: -0.1}] * 3
    assert mitigation_verdict(changes, 3, (-0.2, -0.01), -0.05) == "reproduced"
    assert mitigation_verdict(changes, 4, (-0.2, -0.01), -0.05) == "partly"  # a seed has failed
    assert mitigation_verdict(changes, 3, (-0.2, 0.01), -0.05) == "can't tell"  # none, or as much as published
    assert mitigation_verdict(changes, 3, (-0.2, 0.0), -0.05) == "can't tell"
    assert mitigation_verdict(changes, 3, (-0.07, 0.01), -0.05) == "not"  # none, or less than published
    assert mitigation_verdict(changes, 3, None, -0.05) == "can't tell"
    assert mitigation_verdict(changes, 3, (-0.2, -0.01), -0.11) == "partly"  # the control does as well
    assert mitigation_verdict(changes, 3, (-0.2, -0.01), None) == "partly"
    assert mitigation_verdict([], 3, None, None) == "can't tell"
    assert mitigation_verdict(changes[:2], 2, (-0.2, -0.01), -0.05) == "can't tell"  # too few seeds


@pytest.mark.parametrize(
    ("gap", "share", "p", "verdict"),
    [
        (0.5, 0.1, [0.01, 0.01, 0.3], "reproduced"),
        (0.3, 0.1, [0.01, 0.01, 0.01], "partly"),  # a smaller gap than that by place
        (0.5, 0.1, [0.01, 0.2, 0.3], "not"),
        (0.5, 0.02, [0.01, 0.01, 0.01], "not"),
        (0.5, 0.6, [0.01, 0.01, 0.01], "not"),  # most talkers are no bottom part
        (0.5, 0.1, [0.01, 0.01], "partly"),  # a seed has failed
        (0.5, 0.1, [0.01], "not"),
    ],
)
def test_of_discovery(gap: float, share: float, p: list[float], verdict: str) -> None:
    places = [Discovered(0.4, 0.2, 0.01, None)] * 3
    voices = [Discovered(gap, share, each, None) for each in p]
    assert discovery_verdict(places, voices, 3) == verdict
    assert discovery_verdict(places, [], 3) == "can't tell"
    assert discovery_verdict(places[:2], voices[:2], 2) == "can't tell"


def gave(seen: Seen, seed: int, change: float) -> None:
    counts = Counts(np.array([10, 10]), np.array([1, 2]))
    heard = Heard(["x", "y"], ["a", "b"], counts, counts)
    one = Adapted(dict.fromkeys(FIGURES, change), dict.fromkeys((MEAN, MAXIMUM, VARIANCE), change), heard)
    seen.adapted[seed] = {"ewc": one, CONTROL: one}
    found = Discovered(0.4, 0.2, 0.01, None)
    seen.found[seed] = {"simulated by geo": found, f"simulated by {VOICES}": replace(found, gap=float("inf"))}


def test_the_figures_of_each_seed_stand_beside_the_published_ones() -> None:
    seen = Seen([2, 3])
    gave(seen, 2, -0.1)
    seen.failed[3] = "no speech"
    told = json.loads(json.dumps(as_json(seen), allow_nan=False))
    assert told["failed"] == {"3": "no speech"}
    assert told["mitigation"]["ewc"]["accents"]["2"][VARIANCE] == -10
    assert told["mitigation"]["all speech"]["regions"]["mean"][MEAN] == -10
    assert told["discovery"]["simulated by geo"]["2"] == {"gap": 40, "share": 20, "p": 0.01, "p_within_sets": None}
    assert told["discovery"][f"simulated by {VOICES}"]["2"]["gap"] is None
    assert told["published"]["mitigation"][VARIANCE] == -7.9


def test_claims_have_the_published_figures_and_no_infinite_gap() -> None:
    seen = Seen([2, 3, 4])
    gave(seen, 2, -0.1)
    seen.failed[3] = "no speech"
    found = sheet_of(seen, cohorts.CRITERIA, "a table", MADE)
    assert found.criteria.startswith("Mitigation (Trinh")
    assert found.criteria.endswith("tells.")
    ewc, discovery = found.claims
    assert (ewc.published, ewc.found, ewc.criterion, ewc.verdict) == ("7.9 % by EWC", "+10.0", ">= 7.9", "not")
    assert discovery.found == "gap of no finite size by voice, 40 % by place"
    assert discovery.interval == ("no finite size to no finite size by voice, 40 % to 40 % by place, over seeds")
    assert "Seed 3 failed: no speech" in found.details


def test_a_folder_of_other_things_is_refused_before_any_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text("# Mine\n")
    monkeypatch.setattr(cohorts, "look", lambda recipe, seen: pytest.fail("a run began"))
    monkeypatch.setattr("sys.argv", ["cohorts", "--results", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"cohorts: .*README\.md is no table of studies"):
        cohorts.main()
    assert [each.name for each in tmp_path.iterdir()] == ["README.md"]


def test_a_seed_that_fails_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(recipe: Recipe, seen: Seen) -> None:
        if recipe.seed == 3:
            raise ValueError("no speech")
        gave(seen, recipe.seed, -0.1)

    monkeypatch.setattr(cohorts, "look", look)
    monkeypatch.setattr(cohorts, "minutes_of", lambda planned: 1.0)
    monkeypatch.setattr("sys.argv", ["cohorts", "adapt.passes=1", "--results", str(tmp_path)])
    cohorts.main()
    printed = capsys.readouterr()
    told = json.loads(printed.out.splitlines()[-1])
    assert (told["seeds"], told["failed"]) == ([2, 3, 4], {"3": "no speech"})
    assert told["verdicts"] == {"ewc": "not", "discovery": "partly"}
    assert "seed 3: no speech" in printed.err
    command = "`python -m jobs.bench.cohorts adapt.passes=1 --seeds 2 3 4`"
    assert command in (tmp_path / "cohorts.md").read_text()
