"""Speaker verification among talkers with simulated accents, and how far its rates depend on who the talkers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jobs.bench.known_regions import times_drawn
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.speakers.error_rates import equal_error_rate, operating_points
from ssl_asr.speakers.trials import Spoken, Trials, TrialSettings, cosine_scores, make_trials
from ssl_asr.speakers.verification import VerificationResults, verification_results
from ssl_asr.store import utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings

LEAST_TALKERS, LEAST_CLAIMS = 5, 30  # of a group in the trials; claims that are true
FIGURES = ("eer", "gap", "deviation")
TAG = "accent"
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Equal error rate (EER) of all trials, gap and deviation of the accents' EERs. Shares: 0.1 is 10 %.

    `p` and `deviation_p` are the shares of shuffles of the accents over the talkers that reach gap and deviation.
    """

    eer: float
    gap: float
    deviation: float
    p: float
    deviation_p: float
    highest: str
    lowest: str
    accents: Mapping[str, float]


@dataclass(frozen=True)
class Verified:
    """`drawn_rf` [replicates, figures]: the `FIGURES` where talkers are drawn again. `dropped` groups, and why."""

    rates: Rates
    drawn_rf: Float
    dropped: Mapping[str, str]


def accents_in(run: str, splits: Sequence[str]) -> dict[str, str]:
    """The accent of each speaker of these splits who has one."""
    store = ShardStore(run, utterance.STORE)
    found: dict[str, str] = {}
    for shard in [shard for split in splits for shard in store.shards(split)]:
        table = store.read(shard, ["speaker", "tags"])
        for speaker, tags in zip(table["speaker"].to_pylist(), map(dict, table["tags"].to_pylist()), strict=True):
            if tags.get(TAG):
                found[speaker] = tags[TAG]
    return found


def verified(embeddings: SpeakerEmbeddings, accents: Mapping[str, str], draws: Draws) -> Verified:
    """Of the speakers with an accent. The same trials and the same drawn talkers for all extractors.

    ValueError where less than two accents have talkers and claims enough.
    """
    places = [place for place, speaker in enumerate(embeddings.speakers) if speaker in accents]
    spoken = [Spoken(embeddings.ids[place], embeddings.speakers[place]) for place in places]
    trials = make_trials(spoken, TrialSettings(seed=1))
    groups, dropped = groups_of(trials, accents)
    scores = cosine_scores(embeddings.vectors[places], trials)
    results = verification_results(scores, trials, groups, draws)
    return Verified(_rates(results, dropped), drawn_figures(scores, trials, groups, draws), dropped)


def groups_of(trials: Trials, accents: Mapping[str, str]) -> tuple[list[str | None], dict[str, str]]:
    """The group of each of the trials' speakers, None where it is too small; the groups that are, and why."""
    named = [accents[speaker] for speaker in trials.speakers]
    talkers, claims = Counter(named), Counter(named[each] for each in trials.spoken_by[trials.is_target])
    dropped = {
        name: f"{count} talkers, {claims[name]} true claims"
        for name, count in sorted(talkers.items())
        if count < LEAST_TALKERS or claims[name] < LEAST_CLAIMS
    }
    return [None if name in dropped else name for name in named], dropped


def _rates(results: VerificationResults, dropped: Mapping[str, str]) -> Rates:
    found = results.disparity
    if found is None:
        said = "; ".join(f"{name}: {why}" for name, why in dropped.items())
        raise ValueError(
            f"less than two accents have {LEAST_TALKERS} talkers and {LEAST_CLAIMS} true claims each ({said}); give "
            "more test speech by a larger corpus.test_minutes"
        )
    return Rates(
        eer=results.everything.eer,
        gap=found.gap,
        deviation=found.deviation,
        p=found.p,
        deviation_p=found.deviation_p,
        highest=found.highest,
        lowest=found.lowest,
        accents={each.name: each.eer for each in results.groups},
    )


def drawn_figures(scores_n: Float, trials: Trials, groups: Sequence[str | None], draws: Draws) -> Float:
    """[replicates, figures] of talkers drawn with replacement within their groups; nan where no impostor was drawn.

    A trial counts as often as both its talkers were drawn together, a true claim as often as its talker.
    """
    times_rs = times_drawn([name or "" for name in groups], draws).astype(np.float64)
    order = np.argsort(scores_n, kind="stable")
    scores, target = scores_n[order], trials.is_target[order]
    claimed, spoken_by = trials.claimed[order], trials.spoken_by[order]
    labels = np.array([name or "" for name in groups])
    parts = [(labels[claimed] == name) & (labels[spoken_by] == name) for name in sorted({*labels} - {""})]
    found = np.empty((draws.replicates, len(FIGURES)))
    for row, times in zip(found, times_rs, strict=True):
        weights = times[claimed] * np.where(target, 1, times[spoken_by])
        eers = [
            equal_error_rate(operating_points(scores[rows], target[rows], weights[rows]))
            for rows in (np.ones(len(scores), np.bool_), *parts)
        ]
        row[:] = eers[0], np.ptp(eers[1:]), np.std(eers[1:])
    return found
