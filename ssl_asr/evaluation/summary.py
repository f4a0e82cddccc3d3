"""From hypotheses to results: counts, aggregates and compares every test set and condition."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.bootstrap import compare, word_error_interval
from ssl_asr.evaluation.results import ALL, FrameAccuracy, Reduction, WordErrors
from ssl_asr.evaluation.scoring import Edits, ScoredUtterance, count_edits
from ssl_asr.models.systems import BASELINE, STUDENT
from ssl_asr.store.utterance import Utterance

Cell = tuple[str, str]  # test set and condition, either may be ALL


def score(references: Mapping[str, Utterance], decoded: Iterable[DecodedSlab]) -> list[ScoredUtterance]:
    """Scores of the decoded utterances that have a reference text, which may be empty; ValueError if none has one."""
    scored = []
    for hypothesis in _hypotheses(decoded):
        reference = references[hypothesis.id]
        if reference.text is not None:
            edits = count_edits(reference.text.split(), hypothesis.words)
            scored.append(
                ScoredUtterance(reference.id, reference.recording, test_set(reference), reference.condition, edits)
            )
    if not scored:
        raise ValueError("no decoded utterance has a reference text; add texts to the dev and test splits")
    return scored


def test_set(utterance: Utterance) -> str:
    """The talker or channel that the utterance's result is reported under."""
    return utterance.tags.get("set", "test")


def cells(found: Iterable[Cell]) -> list[Cell]:
    """Sets by name, conditions in the order of the data; each set's aggregate after it, those of all sets last."""
    known = dict.fromkeys(found)
    sets = sorted({set_ for set_, _ in known})
    conditions = list(dict.fromkeys(condition for _, condition in known))
    wanted = [(set_, condition) for set_ in [*sets, ALL] for condition in [*conditions, ALL]]
    return [cell for cell in wanted if ALL in cell or cell in known]


def _in_cell(utterance_set: str, condition: str, cell: Cell) -> bool:
    return cell[0] in (utterance_set, ALL) and cell[1] in (condition, ALL)


def word_errors(
    systems: Mapping[str, Sequence[ScoredUtterance]], replicates: int, seed: int
) -> tuple[list[WordErrors], list[Reduction]]:
    """Rows of every system and the student's reductions, cell by cell; all systems scored the same utterances."""
    rows, reductions = [], []
    for cell in cells((each.set, each.condition) for each in systems[STUDENT]):
        part = _part(systems, cell)
        rows += [_row(name, cell, utterances, replicates, seed) for name, utterances in part.items()]
        compared = compare(part[BASELINE], part[STUDENT], replicates, seed)
        gain = compared.reduction
        reductions.append(Reduction(*cell, gain.value, gain.low, gain.high, compared.p_better))
    return rows, reductions


def dev_errors(systems: Mapping[str, Sequence[ScoredUtterance]], replicates: int, seed: int) -> list[WordErrors]:
    """Rows of every system on all of dev, by condition and in all."""
    found = [(each.set, each.condition) for scored in systems.values() for each in scored]
    return [
        _row(name, cell, utterances, replicates, seed)
        for cell in cells(found)
        if cell[0] == ALL
        for name, utterances in _part(systems, cell).items()
    ]


def word_error_rate(scored: Iterable[ScoredUtterance]) -> float:
    return reduce(Edits.__add__, (each.edits for each in scored), Edits()).word_error_rate


def _part(systems: Mapping[str, Sequence[ScoredUtterance]], cell: Cell) -> dict[str, list[ScoredUtterance]]:
    return {
        name: [each for each in utterances if _in_cell(each.set, each.condition, cell)]
        for name, utterances in systems.items()
    }


def _row(system: str, cell: Cell, utterances: Sequence[ScoredUtterance], replicates: int, seed: int) -> WordErrors:
    edits = reduce(Edits.__add__, (each.edits for each in utterances), Edits())
    rate = word_error_interval(utterances, replicates, seed)
    counts = (edits.words, edits.insertions, edits.deletions, edits.substitutions, len(utterances))
    return WordErrors(system, *cell, rate.value, rate.low, rate.high, *counts)


def frame_accuracies(
    systems: Mapping[str, Sequence[DecodedSlab]], references: Mapping[str, Utterance]
) -> list[FrameAccuracy]:
    """Frame accuracy of every system and cell with aligned frames; empty if the test split is not aligned."""
    accuracies = []
    for system, decoded in systems.items():
        labelled: Counter[Cell] = Counter()
        correct: Counter[Cell] = Counter()
        for hypothesis in _hypotheses(decoded):
            reference = references[hypothesis.id]
            labelled[test_set(reference), reference.condition] += hypothesis.labelled
            correct[test_set(reference), reference.condition] += hypothesis.correct
        for cell in cells(labelled):
            inside = [each for each in labelled if _in_cell(*each, cell)]
            if frames := sum(labelled[each] for each in inside):
                share = sum(correct[each] for each in inside) / frames
                accuracies.append(FrameAccuracy(system, *cell, share))
    return accuracies


def out_of_vocabulary(references: Iterable[Utterance], words: Iterable[str]) -> float:
    """Share of reference words that are not in the graph; each of them costs at least one error."""
    known = set(words)
    reference = [word for each in references for word in (each.text or "").split()]
    return sum(word not in known for word in reference) / max(len(reference), 1)


def hypothesis_lines(decoded: Iterable[DecodedSlab], references: Mapping[str, Utterance]) -> str:
    """One JSON object an utterance: reference and hypothesis."""
    lines = []
    for hypothesis in _hypotheses(decoded):
        reference = references[hypothesis.id]
        line = {
            "id": reference.id,
            "set": test_set(reference),
            "condition": reference.condition,
            "reference": reference.text,
            "hypothesis": " ".join(hypothesis.words),
        }
        lines.append(json.dumps(line | ({"error": hypothesis.error} if hypothesis.error else {})) + "\n")
    return "".join(lines)


def _hypotheses(decoded: Iterable[DecodedSlab]) -> Iterable[Hypothesis]:
    return (hypothesis for slab in decoded for hypothesis in slab.hypotheses)
