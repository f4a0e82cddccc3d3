"""The table of transducers on conversations: rows of text, which the terminal and the page show."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.evaluation.percentiles import Percentiles
from ssl_asr.evaluation.transducer_results import ConversationErrors

CONVERSATION_NOTE = (
    "On simulated conversations of test. ORC-WER: word error rate with each turn on the output channel that suits it "
    "best, with 95 % intervals over conversations. Turns right: conversations with as many turns as were spoken. "
    "Latencies in ms, median / 90th percentile, of conversations of more than two turns with the right count, after "
    "the true end of a turn: EP <eot>, LS last piece; after its true start: SP <sot>, FS first piece; - for none. "
    "Silence at the edges of an utterance is part of its turn. Ends missed: at least so many of the <eot> of all "
    "conversations never came; EP knows nothing of them. Real-time factor: seconds of one core for a second of "
    "audio, network and search, in batches of whole conversations."
)


def conversation_rows(found: Sequence[ConversationErrors]) -> list[list[str]]:
    """The first row names the columns."""
    head = ["transducer", "conversations", "words", "ORC-WER %", "turns right %", "of more than two %"]
    return [[*head, "EP", "ends missed %", "LS", "SP", "FS", "real-time factor"], *map(_row, found)]


def _row(each: ConversationErrors) -> list[str]:
    counts, times = each.counts, each.latencies
    wer = f"{100 * each.row.wer:.1f} [{100 * each.row.low:.1f}, {100 * each.row.high:.1f}]"
    shares = [_share(counts.accuracy), _share(counts.accuracy_of_more)]
    ends = [_latency(times.end_point), _share(counts.missed_end_share)]
    late = [times.last_subword, times.start_point, times.first_subword]
    speed = "-" if each.real_time_factor is None else f"{each.real_time_factor:.3g}"
    first = [each.row.system, str(counts.groups), str(each.row.words), wer, *shares]
    return [*first, *ends, *map(_latency, late), speed]


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _latency(found: Percentiles | None) -> str:
    return "-" if found is None else f"{1000 * found.p50:.0f} / {1000 * found.p90:.0f}"
