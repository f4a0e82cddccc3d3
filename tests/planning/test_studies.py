"""Which stages the runs of a study share, and how long the study takes, told by the recipes alone."""

from __future__ import annotations

import pytest

from ssl_asr.planning.studies import differing_stages, run_times
from ssl_asr.recipe import Recipe
from ssl_asr.studies.study import known_studies, read_study, recipe_of

STUDENT = ["student", "evaluate"]
STUDENTS = ["baseline", *STUDENT]
FROM_SENONES_ON = ["hmm", "teacher", "labelling", *STUDENTS]
OWN = {  # by study and variant: the stages that its run does not take from the first one's
    "features": {"bits2": ["corpus", "frontend", "hmm", "teacher", "labelling", *STUDENTS]},
    "labels": {
        "unigram": ["hypotheses", "transducers", "evaluate"],
        "unsure": ["transducers", "evaluate"],
        "truth": ["hypotheses", "transducers", "evaluate"],
        "none": ["transducers", "evaluate"],
        "longer": ["transducers", "evaluate"],
    },
    "languages": {"graphemes": FROM_SENONES_ON, "clustered": FROM_SENONES_ON},
    "noise": {"degraded": ["corpus", "frontend", "labelling", *STUDENTS]},
    "topk": {
        **{name: ["labelling", *STUDENT] for name in ("k1", "k5", "k600", "tail", "bits4")},
        "warm": STUDENT,
    },
    "trainer": dict.fromkeys(
        ("dense-8", "gtc-8", "sparse-8", "bmuf-8", "half-8", "classical-8", "averaging-8", "long-8", "bmuf-16"),
        STUDENTS,
    ),
    "schedule": dict.fromkeys(("blocks", "segregated", "no-boost", "much-boost"), STUDENTS),
    "sequence": {"smbr": ["teacher", "labelling", *STUDENTS]},
    "hours": {
        name: ["corpus", "frontend", "hmm", "teacher", "labelling", *STUDENTS] for name in ("quarter", "few-labels")
    },
}
LONGER = {"convrnnt", "hours", "sequence"}  # the last two 20 minutes less where study topk has run
SHARED = "topk"  # the first runs of these are its own
SHARING = ("schedule", "sequence", "hours")


def planned(name: str) -> list[tuple[str, Recipe]]:
    ours = read_study(name)
    return [(variant, recipe_of(ours, variant, seed, "/nowhere")) for seed in ours.seeds for variant in ours.variants]


@pytest.mark.parametrize("name", OWN)
def test_a_variant_makes_only_what_differs(name: str) -> None:
    recipes = dict(planned(name))
    (_, first), *others = recipes.items()
    assert {variant: differing_stages(each, first) for variant, each in others} == OWN[name]
    assert differing_stages(first, first) == []


@pytest.mark.parametrize("name", known_studies())
def test_ours_take_an_hour_at_most(name: str) -> None:
    ours = read_study(name)
    times = run_times(ours, planned(name))
    assert len(times) == len(ours.seeds) * len(ours.variants)
    count = len(ours.variants)
    assert times[:count] == times[count : 2 * count], "every seed takes as long"
    minutes = sum(each.seconds for each in times) / 60
    assert (minutes > 60) == (name in LONGER), minutes


@pytest.mark.parametrize("name", SHARING)
def test_the_first_run_is_that_of_another_study(name: str) -> None:
    (_, own), *_ = planned(name)
    (_, shared), *_ = planned(SHARED)
    assert own == shared


def test_what_counts_by_content_is_seen_as_a_difference() -> None:
    first = recipe_of(read_study("ssl"), "all", 1, "/nowhere")
    own = [*STUDENTS, "topline"]

    def again(*overrides: str) -> set[str]:
        return set(differing_stages(recipe_of(read_study("ssl"), "all", 1, "/elsewhere", overrides), first))

    assert again("labelling.teachers=[teacher, baseline]") == {"labelling", *STUDENT}
    assert again("hmm.lexicon=graphemes") == {"hmm", "teacher", "labelling", *own}
    assert again("hypotheses.teacher=student") == {"hypotheses"}
    assert again("corpus.cache=/c", "cluster.train_workers=[1, 1]") == set()
    assert again("evaluate.topline=false") == {"evaluate"}


def test_simulated_workers_take_as_long_as_one_core() -> None:
    runs = planned("trainer")
    times = dict(zip((variant for variant, _ in runs), run_times(read_study("trainer"), runs), strict=True))
    assert times["bmuf-8"].seconds == times["bmuf-16"].seconds == times["gtc-8"].seconds
    assert times["bmuf-8"].seconds < times["one"].seconds, "which makes all that comes before, too"
