"""When a streaming recogniser emits words, against when they were spoken; positive where it is late.

Partial-recognition latency is that of an utterance's last word: PR50 and PR90 are its percentiles (Yu et al. 2021,
FastEmit, arXiv 2010.11148). A network that knows how a word ends may emit it before its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.evaluation.scoring import align_words


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
