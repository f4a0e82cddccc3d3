"""How good a transducer of conversations is: ORC-WER, turn-count accuracy and latencies of turns."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.corpus.mixtures.turns import in_order
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.scoring import ScoredUtterance
from ssl_asr.evaluation.summary import errors_of
from ssl_asr.evaluation.transducer_results import ConversationErrors
from ssl_asr.evaluation.turns.counting import count_turns
from ssl_asr.evaluation.turns.emissions import Group, RecognisedConversation
from ssl_asr.evaluation.turns.latencies import turn_latencies
from ssl_asr.evaluation.turns.orc import best_combination


def conversation_errors(
    name: str,
    found: Sequence[RecognisedConversation],
    *,
    sample_rate: int,
    draws: Draws,
    has_ends: bool = True,
) -> ConversationErrors:
    """Each conversation is one group, and a block of the bootstrap. ValueError if there is none.

    `has_ends` says whether the network knows `<eot>`.
    """
    if not found:
        raise ValueError(
            f"the test speech makes no conversation to score {name} on; give evaluate.conversations fewer turns, or "
            "a larger longest_seconds"
        )
    row = errors_of(name, (ALL, ALL), [scored_conversation(each) for each in found], draws)
    groups = [Group(each.turns, each.channels, sample_rate) for each in found]
    return ConversationErrors(row, count_turns(groups, has_ends=has_ends), turn_latencies(groups))


def scored_conversation(each: RecognisedConversation) -> ScoredUtterance:
    """ORC edits; it stands for a recording of its own, of nobody in particular."""
    spoken = [turn.text.split() for turn in in_order(each.turns)]
    return ScoredUtterance(each.id, each.id, ALL, ALL, best_combination(spoken, each.words).edits)
