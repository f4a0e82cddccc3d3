"""The data of the page that compares two systems: every utterance with every system's words, as compact JSON.

An utterance is a list: id, set, condition, speaker, seconds, clip or null, the reference, and for each system the
alignment, the words and their confidences. Sets, conditions and speakers are numbers of lists. The alignment has one
letter a pair of words: "=" the same, "s" substituted, "d" deleted, "i" inserted. Confidences are in percent, or null;
there are none without lattices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations

from markupsafe import Markup

from ssl_asr.evaluation.scoring import AlignedWord
from ssl_asr.models.systems import TITLES
from ssl_asr.recipe import Recipe
from ssl_asr.report.errors.analysis import ErrorAnalysis
from ssl_asr.report.errors.clips import Clips
from ssl_asr.report.errors.utterances import AlignedUtterance, Recognised
from ssl_asr.report.templates import fill, text_of

BYTES = 4_000_000  # of all utterances on the page


@dataclass(frozen=True)
class Score:
    """Utterances in which the second system makes fewer errors than the first, more, or as many."""

    wins: int
    losses: int
    ties: int


@dataclass(frozen=True)
class Comparison:
    """`data` is JSON for the page; `shown` of `utterances` are on it, with or without confidences."""

    data: str
    shown: int
    utterances: int
    confidences: bool


def render_comparison(recipe: Recipe, analysis: ErrorAnalysis, clips: Clips) -> str:
    """The HTML of the page."""
    comparison = compare_systems(analysis.utterances, analysis.systems, clips.files)
    return _page(comparison, recipe.name, recipe.run, len(clips.files))


def render_set_comparison(source: str, utterances: Sequence[AlignedUtterance], systems: Sequence[str]) -> str:
    """The HTML of such a page on transcribed speech that is no run's; it plays no audio."""
    return _page(compare_systems(utterances, systems, {}), source, "", 0)


def _page(comparison: Comparison, name: str, run: str, clips: int) -> str:
    """`run` is empty where the utterances are no run's."""
    data, script = Markup(comparison.data), text_of("compare.js")
    return fill("compare.html", name=name, run=run, comparison=comparison, data=data, script=script, clips=clips)


def compare_systems(
    utterances: Sequence[AlignedUtterance], systems: Sequence[str], clips: Mapping[str, str]
) -> Comparison:
    """If not all utterances fit on the page, those on which the systems differ most do."""
    sets, conditions, speakers = (
        {name: number for number, name in enumerate(dict.fromkeys(names))}
        for names in (
            [each.set for each in utterances],
            [each.utterance.condition for each in utterances],
            [each.utterance.speaker for each in utterances],
        )
    )
    left, rows = BYTES, {}
    for place in sorted(range(len(utterances)), key=lambda place: -_difference(utterances[place])):
        each = utterances[place]
        names = (sets[each.set], conditions[each.utterance.condition], speakers[each.utterance.speaker])
        row = _row(each, systems, names, clips)
        left -= len(row)
        if left < 0:
            break
        rows[place] = row
    head = {
        "systems": [{"name": name, "title": TITLES.get(name, name)} for name in systems],
        "sets": list(sets),
        "conditions": list(conditions),
        "speakers": list(speakers),
        "scores": [{"pair": pair, **asdict(score(utterances, *pair))} for pair in permutations(systems, 2)],
    }
    lines = ",\n".join(rows[place] for place in sorted(rows))
    data = f'{json.dumps(head)[:-1]}, "utterances": [\n{lines}\n]}}'
    known = any(recognised.confidences for each in utterances for recognised in each.systems.values())
    return Comparison(_inside_script(data), len(rows), len(utterances), known)


def score(utterances: Iterable[AlignedUtterance], first: str, second: str) -> Score:
    changes = [each.errors(second) - each.errors(first) for each in utterances]
    wins, losses = sum(change < 0 for change in changes), sum(change > 0 for change in changes)
    return Score(wins, losses, len(changes) - wins - losses)


def _difference(utterance: AlignedUtterance) -> int:
    errors = [each.edits.errors for each in utterance.systems.values()]
    return max(errors) - min(errors)


def _row(
    utterance: AlignedUtterance, systems: Sequence[str], names: tuple[int, int, int], clips: Mapping[str, str]
) -> str:
    said = utterance.utterance
    found = [part for system in systems for part in _words(utterance.systems[system])]
    values = [said.id, *names, round(said.duration, 2), clips.get(said.id), " ".join(utterance.reference), *found]
    return json.dumps(values, separators=(",", ":"))


def _words(recognised: Recognised) -> tuple[str, str, list[int | None]]:
    letters = "".join(map(_letter, recognised.words))
    words = " ".join(pair.hypothesis for pair in recognised.words if pair.hypothesis)
    return letters, words, [None if each is None else round(100 * each) for each in recognised.confidences]


def _letter(pair: AlignedWord) -> str:
    if pair.right:
        return "="
    return "i" if not pair.reference else "d" if not pair.hypothesis else "s"


def _inside_script(data: str) -> str:
    """The same JSON, which can't end a <script> or begin a comment."""
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
