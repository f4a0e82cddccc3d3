"""Who is told to a network that takes a cohort's embedding: in training and where its speech is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ssl_asr.decoding.slabs import System
from ssl_asr.models.cohort_input import UNKNOWN
from ssl_asr.recipe.identity import digest, inputs_key
from ssl_asr.training.data.examples import Example, Reader
from ssl_asr.training.data.sources import SlabRef, SourceName, seed_of

_SEEDS = 2**63


@dataclass(frozen=True)
class TellingReader:
    """Reads as `reader`, and says of each utterance the number of its speaker's cohort, by `numbers`.

    In a pass, each utterance is UNKNOWN with the probability `unknown_share`, drawn from `seed`, the pass and its id
    alone. Speakers that are not in `numbers`, such as those of dev, are UNKNOWN.
    """

    reader: Reader
    numbers: Mapping[str, int]
    unknown_share: float
    seed: int

    def read(self, source: SourceName | str, ref: SlabRef, offset: int) -> list[Example]:
        examples = self.reader.read(source, ref, offset)
        return [replace(each, cohort=self._number(each, source, ref.sweep)) for each in examples]

    def _number(self, example: Example, source: str, sweep: int | None) -> int:
        number = self.numbers.get(example.speaker, UNKNOWN)
        if number == UNKNOWN or sweep is None:
            return number
        drawn = seed_of(self.seed, "unknown cohort", source, sweep, example.id) / _SEEDS
        return UNKNOWN if drawn < self.unknown_share else number


def telling(system: System, cohorts: Mapping[str, str]) -> System:
    """The system that is told the cohorts of these speakers; its hypotheses are kept beside those of `system`."""
    told = tuple(sorted(cohorts.items()))
    key = inputs_key({"system": system.key, "told": digest([f"{speaker}\t{name}" for speaker, name in told])})
    return replace(system, told=told, key=key)
