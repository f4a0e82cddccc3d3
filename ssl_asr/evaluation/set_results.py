"""The results of one or two systems on transcribed speech that is no split of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import ALL, Reduction, WordErrors
from ssl_asr.evaluation.scoring import ScoredUtterance
from ssl_asr.evaluation.significance import SpeakerTest, speaker_test
from ssl_asr.evaluation.summary import errors_of, reduction_of, score
from ssl_asr.evaluation.transcribed_set import TranscribedSet
from ssl_asr.store.utterance import Utterance

MOST_VALUES = 20  # of a tag
SPEAKER = "speaker"
Words = Mapping[str, Sequence[str]]  # recognised, by utterance
Scored = Mapping[str, Sequence[ScoredUtterance]]  # by system, of the same utterances


@dataclass(frozen=True)
class TagResults:
    """By the values of one tag, which `rows` and `werr` name as their set; the most words first.

    Of `values` there are at most `MOST_VALUES`.
    """

    tag: str
    values: int
    rows: tuple[WordErrors, ...]
    werr: tuple[Reduction, ...]


@dataclass(frozen=True)
class SetResults:
    """`rows` are those of all utterances, one for each of `systems`.

    `werr` is the reduction of the last system's errors relative to the first's, and `significance` whether they
    differ by more than chance; None of one system. `unscored` utterances of the source are in no figure.
    """

    source: str
    systems: tuple[str, ...]
    rows: tuple[WordErrors, ...]
    werr: Reduction | None
    significance: SpeakerTest | None
    by_tag: tuple[TagResults, ...]
    unscored: int


def set_results(spoken: TranscribedSet, systems: Mapping[str, Words], draws: Draws) -> SetResults:
    """Of the utterances that every system has words for, the baseline first; ValueError if there is none."""
    said = {each.id: each for each in spoken.utterances if all(each.id in words for words in systems.values())}
    if not said:
        raise ValueError(f"nothing of {spoken.source} was recognised, so there is nothing to score")
    scored = {name: score(said, [_decoded(said, words)]) for name, words in systems.items()}
    compared = len(scored) > 1
    return SetResults(
        source=spoken.source,
        systems=tuple(systems),
        rows=_rows(ALL, scored, draws),
        werr=_reduction(ALL, scored, draws) if compared else None,
        significance=speaker_test(*scored.values()) if compared else None,
        by_tag=tuple(_by_tag(scored, tag, said, draws) for tag in tags_of(said.values())),
        unscored=len(spoken.utterances) + len(spoken.rejects) - len(said),
    )


def tags_of(utterances: Iterable[Utterance]) -> list[str]:
    """The tags, and the speaker, that divide the utterances into groups, of two or more on average."""
    found = list(utterances)
    names = dict.fromkeys([SPEAKER, *(tag for each in found for tag in each.tags)])
    sizes = {name: len({value_of(each, name) for each in found}) for name in names}
    return [name for name, size in sizes.items() if 1 < size <= len(found) / 2]


def value_of(utterance: Utterance, tag: str) -> str:
    """Empty where the utterance has no such tag."""
    return utterance.speaker if tag == SPEAKER else utterance.tags.get(tag, "")


def _decoded(said: Iterable[str], words: Words) -> DecodedSlab:
    return DecodedSlab({}, 0.0, tuple(Hypothesis(name, tuple(words[name]), 0, 0, 0) for name in said))


def _by_tag(scored: Scored, tag: str, said: Mapping[str, Utterance], draws: Draws) -> TagResults:
    values = {name: value_of(each, tag) for name, each in said.items()}
    sizes: Counter[str] = Counter()
    for name, each in said.items():
        sizes[values[name]] += len((each.text or "").split())
    kept = sorted(sizes, key=lambda value: (-sizes[value], value))[:MOST_VALUES]
    parts = {
        value: {system: [each for each in found if values[each.id] == value] for system, found in scored.items()}
        for value in kept
    }
    rows = tuple(row for value, part in parts.items() for row in _rows(value, part, draws))
    werr = tuple(_reduction(value, part, draws) for value, part in parts.items()) if len(scored) > 1 else ()
    return TagResults(tag, len(sizes), rows, werr)


def _rows(value: str, scored: Scored, draws: Draws) -> tuple[WordErrors, ...]:
    return tuple(errors_of(name, (value, ALL), found, draws) for name, found in scored.items())


def _reduction(value: str, scored: Scored, draws: Draws) -> Reduction:
    baseline, candidate = scored.values()
    return reduction_of((value, ALL), baseline, candidate, draws)
