"""Finds the cohorts of a system's speakers and measures how much worse some are understood."""

from __future__ import annotations

import numpy as np

from ssl_asr.fairness.attributes import Known, known_of
from ssl_asr.fairness.channels import channel_check
from ssl_asr.fairness.geography import geography_of
from ssl_asr.fairness.measures import LEAST_SHOWN, Found, Settings, cohorts_of, gap_of, part_of, spread_of
from ssl_asr.fairness.mixed_effects import mixed_effects
from ssl_asr.fairness.partition import Positions
from ssl_asr.fairness.results import CohortResults, LeftOut
from ssl_asr.fairness.scored_table import ScoredTable, Speakers, speakers_of
from ssl_asr.fairness.voice_map import only_of


def find_cohorts(table: ScoredTable, by: str, settings: Settings) -> CohortResults:
    """By `tag:NAME`, `geo`, `voices` or `embeddings:FILE`; ValueError in one sentence where there are no two cohorts.

    The cohorts, and which are the bottom part, are chosen on one half of the speakers and measured on the other.
    """
    speakers = speakers_of(table)
    known = known_of(by, table, speakers, settings.least, settings.seed)
    found = _search(by, known, speakers, settings)
    # Regions are cut where errors differ, so in the searched half they follow the channels that errors follow.
    held = ~found.searched
    bottom = part_of(found, found.in_bottom, settings)
    cohorts = cohorts_of(found, settings)
    positions = known.attribute if isinstance(known.attribute, Positions) else None
    return CohortResults(
        source=table.source,
        system=table.system,
        by=by,
        seed=settings.seed,
        utterances=len(table.utterances),
        speakers=len(speakers.names),
        words=int(speakers.counts.words.sum()),
        wer=speakers.counts.wer,
        gap=gap_of(found, known, settings),
        bottom=bottom,
        top=part_of(found, ~found.in_bottom, settings),
        cohorts=cohorts,
        hidden=len({*found.labels.tolist()}) - len(cohorts),
        spread=spread_of(found, cohorts, settings),
        channel=channel_check(found.labels[held], found.channels[held], settings.shuffled),
        left_out=_left_out(known, speakers),
        geography=None
        if positions is None
        else geography_of(positions, found.partition, found.searched, found.counts, settings.shuffled),
        clustering=None if known.clustering is None else only_of(known.clustering, [each.name for each in cohorts]),
        mixed_effects=mixed_effects(found.counts.rows(held), found.in_bottom[held], found.channels[held]),
    )


def _search(by: str, known: Known, speakers: Speakers, settings: Settings) -> Found:
    counts, half = speakers.counts.rows(known.rows), known.searched
    partition = known.attribute.rows(half).partition(counts.rows(half), settings.least, settings.seed)
    if partition is None:
        raise ValueError(
            f"no cut by {by} leaves {settings.least.told()} on both sides in the half that is searched, which has "
            f"{half.sum():,} speakers, {counts.words[half].sum():,} words; lower --least-speakers or --least-words"
        )
    labels = known.attribute.labels(partition)
    found = Found(partition, labels, half, counts, speakers.channels[known.rows])
    held_out = found.in_bottom[~half]
    if min(held_out.sum(), (~held_out).sum()) < LEAST_SHOWN:
        raise ValueError(
            f"one side of the cut by {by} has less than {LEAST_SHOWN} speakers in the held-out half, and none is "
            "scored alone; ask for more speakers on each side (least speakers), or take another seed"
        )
    return found


def _left_out(known: Known, speakers: Speakers) -> LeftOut:
    others = speakers.counts.rows(np.setdiff1d(np.arange(len(speakers.names)), known.rows))
    return LeftOut(
        speakers=len(others.words),
        words=int(others.words.sum()),
        wer=others.wer if len(others.words) >= LEAST_SHOWN else None,
        unknown_utterances=known.unknown_utterances,
        single_values=known.single_values,
        varying=known.varying,
    )
