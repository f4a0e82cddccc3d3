"""When a streaming recogniser emits words, against when they were spoken; positive where it is late.

Partial-recognition latency is that of an utterance's last word: PR50 and PR90 are its percentiles (Yu et al. 2021,
FastEmit, arXiv 2010.11148). A network that knows how a word ends may emit it before its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.slabs import DecodedSlab, Hypothesis
from ssl_asr.evaluation.cells import Cells, set_of
from ssl_asr.evaluation.percentiles import percentiles
from ssl_asr.evaluation.reference_times import Span, SpokenTimes
from ssl_asr.evaluation.scoring import align_words
from ssl_asr.evaluation.transducer_results import EmissionDelays
from ssl_asr.store.utterance import Utterance


def word_delays(
    reference: Sequence[str], ends: Sequence[float], emitted: Sequence[str], times: Sequence[float]
) -> list[float]:
    """Time of emission minus the word's end, in seconds, of each reference word that was recognised, in order.

    `ends` are those of the reference words in an alignment, `times` are those of the emissions of the emitted words'
    last subwords. Both are in seconds of the audio. Words that are wrong, left out or made up have no delay.
    """
    spoken, said, delays = iter(ends), iter(times), list[float]()
    for pair in align_words(reference, emitted):
        end = next(spoken) if pair.reference else 0.0
        time = next(said) if pair.hypothesis else 0.0
        if pair.right:
            delays.append(time - end)
    return delays


def last_word_delay(end: float, times: Sequence[float]) -> float | None:
    """Time of an utterance's last emission minus the end of its speech, in seconds; None if nothing was emitted."""
    return times[-1] - end if times else None


@dataclass(frozen=True)
class _Timed:
    """The delays of one utterance."""

    cell: tuple[str, str]
    last_word: float | None
    words: Sequence[float]


def emission_delays(
    cells: Cells, decoded: Iterable[DecodedSlab], references: Mapping[str, Utterance], spoken: SpokenTimes
) -> list[EmissionDelays]:
    """Cell by cell; none where no utterance has both emission times and times of its words."""
    timed = [each for slab in decoded for each in _timed(slab.hypotheses, references, spoken)]
    if not any(each.last_word is not None for each in timed):
        return []
    found = []
    for cell in cells:
        inside = [each for each in timed if cells.holds(cell, each.cell)]
        last = [each.last_word for each in inside if each.last_word is not None]
        words = [delay for each in inside for delay in each.words]
        found.append(EmissionDelays(*cell, percentiles(last), percentiles(words)))
    return found


def _timed(
    hypotheses: Iterable[Hypothesis], references: Mapping[str, Utterance], spoken: SpokenTimes
) -> Iterator[_Timed]:
    for each in hypotheses:
        said = references[each.id]
        spans: Sequence[Span] = spoken.get(said.recording, ())
        if spans and len(each.emitted) == len(each.words):
            ends = [span.end for span in spans]
            delays = word_delays((said.text or "").split(), ends, each.words, each.emitted)
            yield _Timed((set_of(said), said.condition), last_word_delay(ends[-1], each.emitted), delays)
