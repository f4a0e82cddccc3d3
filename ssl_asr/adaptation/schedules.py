"""What an adaptation goes through: passes over the cohort's speech, or the student's schedule with more of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ssl_asr.adaptation.speech import COHORT
from ssl_asr.recipe import Adapt
from ssl_asr.training.data.sources import Source
from ssl_asr.training.phases import decay, interleaved
from ssl_asr.training.schedule import LABELED, UNLABELED, Phase


def adaptation_schedule(
    settings: Adapt,
    cohort: Sequence[Source],
    general: Mapping[str, Source],
    objectives: Mapping[str, str],
    share: float,
) -> list[Phase]:
    """Passes over the cohort's sources on whole utterances, at an exponentially falling rate.

    `objectives` are by the names of the `general` sources. With a `share` above 0, segments of each source of the
    cohort are followed by slabs of the general source behind it: so many that they are that share of the frames.
    """
    rates = decay(settings.learning_rate, settings.final_learning_rate, settings.passes)
    phases: list[Phase] = []
    consumed, owed = dict.fromkeys(general, 0), dict.fromkeys(general, 0.0)
    for sweep, rate in enumerate(rates):
        for source in cohort:
            name = source.name.removeprefix(COHORT)
            heard = Phase(source.name, sweep * len(source), len(source), rate, 0, True, True, objectives[name])
            if not share:
                phases.append(heard)
                continue
            whole = general[name]
            owed[name] += share / (1 - share) * source.frames * len(whole) / max(whole.frames, 1)
            count = round(owed[name])
            owed[name] -= count
            again = replace(heard, source=whole.name, first=consumed[name], count=count)
            consumed[name] += count
            phases += interleaved(replace(heard, ends_sub_epoch=not count), again, settings.segment_slabs)
    return [phase for phase in phases if phase.count]


def oversampled_schedule(phases: Sequence[Phase], cohort: Source, unlabeled: Source, repeats: int) -> list[Phase]:
    """The student's `phases`, in which teacher-labelled speech of the cohort is heard `repeats` times as often.

    After each phase of unlabeled speech comes as much more of the cohort's as the phase has of it on average, at the
    same rate and on whole utterances where these are.
    """
    found: list[Phase] = []
    consumed, owed = 0, 0.0  # slabs of the cohort
    for phase in phases:
        found.append(phase)
        if phase.source != unlabeled.name:
            continue
        owed += (repeats - 1) * phase.count * len(cohort) / len(unlabeled)
        count = round(owed)
        owed -= count
        found.append(replace(phase, source=cohort.name, first=consumed, count=count, ends_sub_epoch=False))
        consumed += count
    return [phase for phase in found if phase.count]


def objectives_of(names: Sequence[str]) -> dict[str, str]:
    """The objective of each source, where a training has objectives of these `names`."""
    return {"labeled": LABELED, "unlabeled": UNLABELED if UNLABELED in names else LABELED}
