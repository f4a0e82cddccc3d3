"""The results of transducers on test: word errors, emission delays, compute, and errors on conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.evaluation.error_rates import Reduction, WordErrors
from ssl_asr.evaluation.percentiles import Percentiles
from ssl_asr.evaluation.turns.counting import TurnCounts
from ssl_asr.evaluation.turns.latencies import TurnLatencies


@dataclass(frozen=True)
class EmissionDelays:
    """How late a stream puts out words, in seconds after they were said; negative where it is early.

    `last_word` is of the last word of each utterance, so its percentiles are PR50 and PR90; `words` of each word that
    is right. None where there is no such word.
    """

    set: str
    condition: str
    last_word: Percentiles | None
    words: Percentiles | None


@dataclass(frozen=True)
class EncoderCompute:
    """FLOPs of an encoder for a 30 ms frame of test, two for each multiply-add, its look-ahead included.

    `flops` are counted with the gates that it closed, `whole` with all its modules running and no arbitrator.
    `equal_to` names the transducer that random gates are to take as many FLOPs as; "" of any other.
    """

    flops: float
    whole: float
    equal_to: str = ""

    @property
    def saved(self) -> float:
        """By its own gates; 0.6 is 60 %."""
        return 1 - self.flops / self.whole


@dataclass(frozen=True)
class TransducerErrors:
    """Of one transducer on test; `werr`, cell by cell, is relative to the first transducer, and empty for it.

    `delays`, cell by cell, are empty where no word's time is known, and where the network needs whole utterances.
    `lm_weight` is that of the n-gram in its search, 0 without one. `real_time_factor` is seconds of one core for a
    second of test audio, network and search, whole utterances in batches; None where nothing was heard.
    """

    name: str
    rows: Sequence[WordErrors]
    werr: Sequence[Reduction] = ()
    delays: Sequence[EmissionDelays] = ()
    compute: EncoderCompute | None = None
    lm_weight: float = 0.0
    real_time_factor: float | None = None


@dataclass(frozen=True)
class ConversationErrors:
    """Of one transducer on simulated conversations of test: `row` has ORC-WER, with its interval over conversations.

    Conversations share speakers, so that interval holds for other conversations of these speakers.
    `real_time_factor` is as of `TransducerErrors`, whole conversations in batches; None where it was not measured.
    """

    row: WordErrors
    counts: TurnCounts
    latencies: TurnLatencies
    real_time_factor: float | None = None
