"""A study of two variants, and scores of utterances that nobody spoke."""

from __future__ import annotations

from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.scoring import Edits, ScoredUtterance
from ssl_asr.studies.claims import Claim, ClaimSheet
from ssl_asr.studies.comparing import Scored, outcome_of
from ssl_asr.studies.outcome import Outcome, Provenance
from ssl_asr.studies.study import FLOPS, Comparison, ComputeCurve, Study

MADE = Provenance("ssl-asr experiment order", "abc1234", "2 cores, x86_64", "2026-11-27", 31.0)
DRAWS = Draws(500, 1)


def study(at_least: float = 10, seeds: tuple[int, ...] = (1, 2)) -> Study:
    compared = Comparison(
        name="new against old",
        baseline="old/student",
        candidate="new/student",
        at_least=at_least,
        published="10 to 22 %",
    )
    return Study(
        name="order",
        question="does it help?",
        hypothesis="yes.",
        seeds=seeds,
        variants={"old": ("student.order=segregated",), "new": ()},
        comparisons=(compared,),
    )


def scored(errors: int, speakers: int = 6) -> list[ScoredUtterance]:
    """Two utterances of 20 words of each speaker, clean and in noise, with `errors` or one more."""
    return [
        ScoredUtterance(
            f"{speaker}-{number}-{condition}",
            f"{speaker}-{number}",
            "test",
            condition,
            Edits(20, substitutions=errors + (speaker + number) % 2),
            f"speaker {speaker}",
        )
        for speaker in range(speakers)
        for number in range(2)
        for condition in ("clean", "babble-10")
    ]


def scores(old: int, new: int) -> Scored:
    """Of both seeds; the second has one error more an utterance in both."""
    return {
        (variant, "student"): {1: scored(errors), 2: scored(errors + 1)}
        for variant, errors in (("old", old), ("new", new))
    }


def outcome(old: int = 8, new: int = 6, at_least: float = 10) -> Outcome:
    return outcome_of(study(at_least), scores(old, new), DRAWS, MADE)


def with_bytes(at_least: float = 50, *, more: float = 0) -> Outcome:
    """Of the same study with a second comparison, of megabytes: 100 of the old; 25 and 40, and `more`, of the new."""
    fewer = Comparison(
        name="new sends less",
        baseline="old/student",
        candidate="new/student",
        at_least=at_least,
        figure="megabytes_sent",
    )
    asked = study()
    both = asked.model_copy(update={"comparisons": (*asked.comparisons, fewer)})
    figures = {
        ("old", "student", "megabytes_sent"): {1: 100.0, 2: 100.0},
        ("new", "student", "megabytes_sent"): {1: 25.0 + more, 2: 40.0 + more},
    }
    return outcome_of(both, scores(8, 6), DRAWS, MADE, figures)


def sheet() -> ClaimSheet:
    """Of a benchmark that asks for one claim."""
    claim = Claim("less unfair", "variance", "-7.9 %", "+8.0", "+1.0 to +9.0", ">= 7.9", "reproduced")
    made = Provenance("python -m jobs.bench.gaps", "abc1234", "2 cores, x86_64", "2026-11-28", 12.0)
    return ClaimSheet("gaps", "is it fair?", "it falls.", [claim], "No details.", made)


def with_curve() -> Outcome:
    """Of the same study with FLOPs: 3 and 3.6 million a frame of the old; 1.5 and 1.2 million of the new."""
    fewer = Comparison(name="less", baseline="old/student", candidate="new/student", at_least=50, figure=FLOPS)
    curve = ComputeCurve(beside="old/student", lines={"skipping": ("new/student",)}, published={"best": (60, 5)})
    asked = study()
    both = asked.model_copy(update={"comparisons": (*asked.comparisons, fewer), "compute_curve": curve})
    figures = {("old", "student", FLOPS): {1: 3.0, 2: 3.6}, ("new", "student", FLOPS): {1: 1.5, 2: 1.2}}
    return outcome_of(both, scores(8, 6), DRAWS, MADE, figures)
