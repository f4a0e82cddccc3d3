"""The test utterances with their references and every system's words, aligned word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.scoring import AlignedWord, Edits, align_words, edits_of
from ssl_asr.evaluation.transcripts import Transcript, read_transcripts
from ssl_asr.recipe import Recipe
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class Recognised:
    """One system's words against the reference; `error` says why there are none.

    `confidences` are of the recognised words; there are none without lattices.
    """

    words: tuple[AlignedWord, ...]
    edits: Edits
    error: str = ""
    confidences: tuple[float | None, ...] = ()

    @property
    def judged(self) -> list[tuple[AlignedWord, float | None]]:
        """The words with their confidences, None where none is known."""
        known = iter(self.confidences)
        return [(each, next(known, None) if each.hypothesis else None) for each in self.words]


@dataclass(frozen=True)
class AlignedUtterance:
    utterance: Utterance
    set: str
    systems: Mapping[str, Recognised]

    @property
    def reference(self) -> tuple[str, ...]:
        return tuple((self.utterance.text or "").split())

    def errors(self, system: str) -> int:
        return self.systems[system].edits.errors


def read_aligned(recipe: Recipe, systems: Sequence[str]) -> tuple[AlignedUtterance, ...]:
    """The utterances of the test split that have a text and a transcript of each of `systems`, in their order."""
    said = references(recipe, "test")
    found = {system: {each.id: each for each in read_transcripts(recipe.run, system)} for system in systems}
    common = [
        each for each in next(iter(found.values())) if all(each in transcripts for transcripts in found.values())
    ]
    return tuple(
        aligned(said[each], {system: found[system][each] for system in systems})
        for each in common
        if each in said and said[each].text is not None
    )


def aligned(utterance: Utterance, transcripts: Mapping[str, Transcript]) -> AlignedUtterance:
    """Of an utterance with a text and each system's transcript of it."""
    reference = (utterance.text or "").split()
    systems = {}
    for system, transcript in transcripts.items():
        words = align_words(reference, transcript.hypothesis.split())
        systems[system] = Recognised(words, edits_of(words), transcript.error, transcript.confidences)
    return AlignedUtterance(utterance, next(iter(transcripts.values())).set, systems)
