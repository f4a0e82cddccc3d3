"""From hypotheses to results: counts, aggregates and compares every test set and condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.bootstrap import (
    LEAST_SPEAKERS,
    Draws,
    Interval,
    Pair,
    compare,
    compare_gains,
    share_of_gain,
    word_error_interval,
)
from ssl_asr.evaluation.cells import Cell, Cells, is_of_other_channel, set_of
from ssl_asr.evaluation.error_rates import ALL, Reduction, SpeakerLimits, ToplineShare, WordErrors
from ssl_asr.evaluation.results import FrameAccuracy
from ssl_asr.evaluation.scoring import Edits, ScoredUtterance, count_edits
from ssl_asr.store.utterance import Utterance

Scored = Mapping[str, Sequence[ScoredUtterance]]  # by system; all systems have scored the same utterances


def score(references: Mapping[str, Utterance], decoded: Iterable[DecodedSlab]) -> list[ScoredUtterance]:
    """Scores of the decoded utterances that have a reference text, which may be empty; ValueError if none has one."""
    scored = []
    for hypothesis in _hypotheses(decoded):
        said = references[hypothesis.id]
        if said.text is not None:
            edits = count_edits(said.text.split(), hypothesis.words)
            place = (said.id, said.recording, set_of(said), said.condition)
            scored.append(ScoredUtterance(*place, edits, said.speaker, is_of_other_channel(said)))
    if not scored:
        raise ValueError("no decoded utterance has a reference text; add texts to the dev and test splits")
    return scored


def scored_recordings(references: Mapping[str, Utterance], systems: Scored) -> int:
    """How many recordings every system was scored on, in all their conditions."""
    everywhere = set[str].intersection(*({each.id for each in scored} for scored in systems.values()))
    missing = {each.recording for each in references.values() if each.id not in everywhere}
    return len({each.recording for each in references.values()} - missing)


def cells_of(scored: Iterable[ScoredUtterance]) -> Cells:
    """The cells of what was scored; a test set is of another channel if an utterance of it is."""
    utterances = list(scored)
    other = frozenset(each.set for each in utterances if each.other_channel)
    return Cells(tuple(dict.fromkeys((each.set, each.condition) for each in utterances)), other)


def word_errors(systems: Scored, draws: Draws) -> list[WordErrors]:
    """Rows of every system, cell by cell."""
    found = cells_of(next(iter(systems.values())))
    parts = ((name, cell, _part(scored, found, cell)) for cell in found for name, scored in systems.items())
    return [errors_of(name, cell, part, draws) for name, cell, part in parts]


def reductions(
    baseline: Sequence[ScoredUtterance],
    candidate: Sequence[ScoredUtterance],
    draws: Draws,
    topline: Sequence[ScoredUtterance] | None = None,
) -> list[Reduction]:
    """Of the candidate's word error rate relative to the baseline's, cell by cell; and its share of the topline's."""
    found, gains = cells_of(baseline), []
    for cell in found:
        pair = (_part(baseline, found, cell), _part(candidate, found, cell))
        gain = reduction_of(cell, *pair, draws)
        if topline is not None:
            share = share_of_gain(*pair, _part(topline, found, cell), draws)
            known = ToplineShare() if share is None else ToplineShare(share.value, share.low, share.high)
            gain = replace(gain, topline_share=known)
        gains.append(gain)
    return gains


def word_error_rate(scored: Iterable[ScoredUtterance]) -> float:
    return _edits(scored).word_error_rate


def _edits(scored: Iterable[ScoredUtterance]) -> Edits:
    return reduce(Edits.__add__, (each.edits for each in scored), Edits())


def _part(scored: Iterable[ScoredUtterance], found: Cells, cell: Cell) -> list[ScoredUtterance]:
    return [each for each in scored if found.holds(cell, (each.set, each.condition))]


def errors_of(system: str, cell: Cell, scored: Sequence[ScoredUtterance], draws: Draws) -> WordErrors:
    """Of all of `scored`, which is reported as this cell."""
    edits, rate = _edits(scored), word_error_interval(scored, draws)
    counts = (edits.words, edits.insertions, edits.deletions, edits.substitutions, len(scored))
    limits = _speaker_limits(scored, lambda: word_error_interval(scored, draws, "speaker"))
    return WordErrors(system, *cell, rate.value, rate.low, rate.high, *counts, limits)


def reduction_of(
    cell: Cell, baseline: Sequence[ScoredUtterance], candidate: Sequence[ScoredUtterance], draws: Draws
) -> Reduction:
    """Of the candidate's word error rate on all of these utterances, which are reported as this cell."""
    compared = compare(baseline, candidate, draws)
    gain = compared.reduction
    limits = _speaker_limits(baseline, lambda: compare(baseline, candidate, draws, "speaker").reduction)
    return Reduction(*cell, gain.value, gain.low, gain.high, compared.p_better, limits)


def difference_of(part: Pair, other: Pair, draws: Draws) -> Reduction:
    """The reduction in a part of the test speech less that in another, reported as the cell of everything."""
    compared = compare_gains(part, other, draws)
    gain = compared.reduction
    limits = _speaker_limits(part[0], lambda: compare_gains(part, other, draws, "speaker").reduction)
    return Reduction(ALL, ALL, gain.value, gain.low, gain.high, compared.p_better, limits)


def _speaker_limits(scored: Iterable[ScoredUtterance], interval: Callable[[], Interval]) -> SpeakerLimits:
    speakers = len({each.speaker for each in scored})
    if speakers < LEAST_SPEAKERS:
        return SpeakerLimits(speakers)
    found = interval()
    return SpeakerLimits(speakers, found.low, found.high)


def frame_accuracies(
    systems: Mapping[str, Sequence[DecodedSlab]], references: Mapping[str, Utterance]
) -> list[FrameAccuracy]:
    """Frame accuracy of every system and cell with aligned frames; empty if the test split is not aligned."""
    accuracies = []
    other = frozenset(set_of(each) for each in references.values() if is_of_other_channel(each))
    for system, decoded in systems.items():
        labelled: Counter[Cell] = Counter()
        correct: Counter[Cell] = Counter()
        for hypothesis in _hypotheses(decoded):
            reference = references[hypothesis.id]
            labelled[set_of(reference), reference.condition] += hypothesis.labelled
            correct[set_of(reference), reference.condition] += hypothesis.correct
        found = Cells(tuple(labelled), other)
        for cell in found:
            inside = [each for each in labelled if found.holds(cell, each)]
            if frames := sum(labelled[each] for each in inside):
                share = sum(correct[each] for each in inside) / frames
                accuracies.append(FrameAccuracy(system, *cell, share))
    return accuracies


def out_of_vocabulary(references: Iterable[Utterance], words: Iterable[str]) -> float:
    """Share of reference words that are not in the graph; each of them costs at least one error."""
    known = set(words)
    reference = [word for each in references for word in (each.text or "").split()]
    return sum(word not in known for word in reference) / max(len(reference), 1)


def _hypotheses(decoded: Iterable[DecodedSlab]) -> Iterable[Hypothesis]:
    return (hypothesis for slab in decoded for hypothesis in slab.hypotheses)
