"""Words with times as NIST's CTM, and the best sentences of each utterance: files for other tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from ssl_asr.decoding.slab_words import SlabWords
from ssl_asr.decoding.word_finder import RecognisedWord
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import alternatives_uri, ctm_uri

Confidences = Mapping[str, Sequence[float | None]]  # of the words of each utterance


def write_ctm(run: str, system: str, words: Mapping[str, Sequence[RecognisedWord]], confidences: Confidences) -> None:
    """A line a word, sorted by utterance: utterance, channel 1, start and duration in seconds, word, confidence.

    Times count from the start of the utterance. NIST's NA stands for a confidence that is not known.
    """
    lines = [
        f"{name} 1 {word.start:.2f} {word.duration:.2f} {word.word} {_text(confidence)}\n"
        for name in sorted(words)
        for word, confidence in zip(words[name], confidences[name], strict=True)
    ]
    filesystem.write_bytes(ctm_uri(run, system), "".join(lines).encode())


def _text(confidence: float | None) -> str:
    return "NA" if confidence is None else f"{confidence:.3f}"


def write_alternatives(run: str, system: str, slabs: Iterable[SlabWords]) -> None:
    """One JSON object an utterance: its sentences, the best first."""
    lines = [
        json.dumps(
            {
                "id": each.id,
                "alternatives": [
                    {"text": other.text, "log_probability": other.log_probability} for other in each.alternatives
                ],
            }
        )
        for slab in slabs
        for each in slab.utterances
    ]
    filesystem.write_bytes(alternatives_uri(run, system), "".join(line + "\n" for line in lines).encode())
