"""What the pages show of the word errors, beyond their rates: read from the run, without writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from ssl_asr.evaluation.results import Results
from ssl_asr.recipe import Recipe
from ssl_asr.report.errors import bands
from ssl_asr.report.errors.bands import Band
from ssl_asr.report.errors.confusions import Confusions, confusions
from ssl_asr.report.errors.levels import level_ranges
from ssl_asr.report.errors.utterances import AlignedUtterance, read_aligned
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.large_files import lines_of
from ssl_asr.store.results_layout import hypotheses_uri
from ssl_asr.store.utterance import Utterance

WORST = 15  # utterances of each system
CONFUSED = 15  # words or pairs of words of each kind
SPEAKERS = 20
PLAYED_CHANGES = 15  # utterances with the largest win of the student over the baseline, and as many losses


@dataclass(frozen=True)
class ErrorAnalysis:
    """`worst` and `confusions` are by system; bands hold the errors of all systems."""

    systems: tuple[str, ...]
    utterances: tuple[AlignedUtterance, ...]
    worst: Mapping[str, tuple[AlignedUtterance, ...]]
    confusions: Mapping[str, Confusions]
    speakers: int
    sorted_by: str  # the system by whose error rate speakers are sorted
    by_speaker: tuple[Band, ...]
    by_length: tuple[Band, ...]
    by_level_range: tuple[Band, ...]
    by_frequency: tuple[Band, ...]
    compared: tuple[str, str]  # the baseline and the student whose changes are worth hearing


def analyse(recipe: Recipe, results: Results) -> ErrorAnalysis | None:
    """None where no system's transcripts are in the run, or no test utterance has a text."""
    run = recipe.run
    systems = tuple(each for each in results.systems if filesystem.exists(hypotheses_uri(run, each)))
    utterances = read_aligned(recipe, systems) if systems else ()
    if not utterances:
        return None
    frequency = Counter(word for line in lines_of(lm_text_uri(run)) for word in line.split())
    _, student = results.compared
    sorted_by = student if student in systems else systems[-1]
    return ErrorAnalysis(
        systems,
        utterances,
        {system: worst(utterances, system) for system in systems},
        {system: confusions(utterances, system, CONFUSED) for system in systems},
        len({each.utterance.speaker for each in utterances}),
        sorted_by,
        bands.by_speaker(utterances, sorted_by, SPEAKERS),
        bands.by_length(utterances),
        bands.by_level_range(utterances, level_ranges(recipe, "test")),
        bands.by_frequency(utterances, frequency),
        results.compared,
    )


def worst(utterances: Iterable[AlignedUtterance], system: str) -> tuple[AlignedUtterance, ...]:
    """Those with the most errors; of a recording in several conditions only the worst."""
    order = sorted(utterances, key=lambda each: (-each.errors(system), len(each.reference), each.utterance.id))
    recordings: dict[str, AlignedUtterance] = {}
    for each in order:
        if each.errors(system):
            recordings.setdefault(each.utterance.recording, each)
    return tuple(recordings.values())[:WORST]


def to_play(analysis: ErrorAnalysis) -> Iterator[Utterance]:
    """Utterances worth hearing, the worst of each system first."""
    by_rank = chain.from_iterable(zip_longest(*analysis.worst.values()))
    yield from (each.utterance for each in by_rank if each is not None)
    if set(analysis.compared).issubset(analysis.systems):
        yield from (each.utterance for each in _largest_changes(analysis.utterances, *analysis.compared))


def _largest_changes(utterances: Sequence[AlignedUtterance], first: str, second: str) -> list[AlignedUtterance]:
    order = sorted(utterances, key=lambda each: (each.errors(second) - each.errors(first), each.utterance.id))
    return [*order[:PLAYED_CHANGES], *order[-PLAYED_CHANGES:]]
