"""Alignment by given scores, beside the alignment that it replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ssl_asr.hmm.network_aligner import NetworkAligner, spread
from ssl_asr.hmm.recordings import NOTHING, Alignment, Recordings
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.store.alignments import Confidence
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

LEXICON = Lexicon.from_pairs([("see", ("S", "IY"))], ENGLISH)
# A senone a phone.
TABLE = np.broadcast_to(np.arange(len(ENGLISH), dtype=np.uint16)[None, :, None], (len(ENGLISH),) * 3)
TRUST = Confidence(1.5, 0.9, 0.9)


def utterance(name: str, text: str = "see", recording: str = "") -> Utterance:
    return Utterance(name, "a.wav", "anna", 0, 1.0, text=text, recording=recording, condition="clean")


def phones(text: str) -> np.ndarray:
    return np.array([ENGLISH.ids[phone] for phone in text.split()], np.uint16)


def aligner(spoken: Utterance, before: Mapping[str, Alignment], heard: str = "SIL S S IY SIL") -> NetworkAligner:
    """The network hears these phones in the first frames of 30 ms, and in all others the last one."""

    def scores(batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        lasts = [np.minimum(np.arange(len(frames) // 3), len(phones(heard)) - 1) for frames in batch]
        return [20 * np.eye(len(ENGLISH), dtype=np.float32)[phones(heard)[last]] for last in lasts]

    return NetworkAligner(scores, table=TABLE, lexicon=LEXICON, spoken={spoken.id: spoken}, before=before)


def row(name: str, length: int) -> FeatureRow:
    return FeatureRow(name, "anna", "clean", np.zeros((length, 4), np.float16))


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_each_30_ms_label_is_that_of_its_three_frames_and_the_last_fills_the_rest(rest):
    before = Alignment(np.zeros(15 + rest, np.uint16), TRUST)
    found = aligner(utterance("u"), {"u": before}).align(row("u", 15 + rest))
    expected = np.repeat(phones("SIL S S IY SIL"), [3, 3, 3, 3, 3 + rest])
    np.testing.assert_array_equal(found.senones, expected)
    assert found.confidence == TRUST


def test_the_middle_frame_of_every_offset_has_the_label_of_its_third():
    senones = spread(np.arange(4, dtype=np.uint16), 12)
    assert [senones[offset + 1 :: 3][:3].tolist() for offset in (0, 1, 2)] == [[0, 1, 2], [0, 1, 2], [1, 2, 3]]


def test_what_was_rejected_before_stays_without_frames_and_is_not_rejected_again():
    mine = aligner(utterance("u"), {"u": Alignment(NOTHING, TRUST)})
    recordings = Recordings(mine, {"u": utterance("u")}, [row("u", 15)])
    assert len(recordings.alignment(row("u", 15)).senones) == 0
    assert recordings.rejects == []


@pytest.mark.parametrize(("text", "length", "frames"), [("see see see", 15, 5), ("see", 2, 0)])
def test_an_utterance_that_no_path_fits_is_rejected_with_its_reason(text, length, frames):
    spoken = {"u": utterance("u", text)}
    mine = aligner(spoken["u"], {"u": Alignment(np.full(length, 7, np.uint16), TRUST)})
    mine.align_together([row("u", length)])
    recordings = Recordings(mine, spoken, [row("u", length)])
    assert len(recordings.alignment(row("u", length)).senones) == 0
    reason = f"no path through its text fits its {frames} frames of 30 ms"
    assert recordings.rejects == [Reject("u", reason)]
    assert mine.statistics() == {"realigned_frames": 0, "changed_frames": 0}


def test_changed_frames_are_counted():
    before = Alignment(np.repeat(phones("SIL S IY SIL"), [3, 5, 4, 3]), TRUST)
    mine = aligner(utterance("u"), {"u": before})
    mine.align(row("u", 15))
    assert mine.statistics() == {"realigned_frames": 15, "changed_frames": 1}


def test_of_a_batch_each_utterance_has_its_own_scores():
    """The network is asked once for each batch of like length, and only for what has an alignment."""
    lengths, asked = {"long": 60, "short": 15, "longer": 63, "unheard": 60}, []
    spoken = {name: utterance(name) for name in lengths}
    before = {name: Alignment(np.full(length, 9, np.uint16)) for name, length in lengths.items()}
    before["unheard"] = Alignment(NOTHING)

    def scores(batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        """S as long as the features say, IY after it."""
        asked.append([len(frames) for frames in batch])
        heard = [np.where(frames[::3, 0] > 0, *phones("S IY")) for frames in batch]
        return [20 * np.eye(len(ENGLISH), dtype=np.float32)[each] for each in heard]

    mine = NetworkAligner(scores, table=TABLE, lexicon=LEXICON, spoken=spoken, before=before)
    first = {"long": 30, "short": 6, "longer": 12, "unheard": 3}
    rows = [
        FeatureRow(name, "anna", "clean", np.repeat([1, 0], [first[name], length - first[name]])[:, None])
        for name, length in lengths.items()
    ]
    mine.align_together(rows)
    assert asked == [[63, 60], [15]]
    for each in rows[:3]:
        expected = np.repeat(phones("S IY"), [first[each.id], lengths[each.id] - first[each.id]])
        np.testing.assert_array_equal(mine.align(each).senones, expected)
    assert len(mine.align(rows[3]).senones) == 0
    assert asked == [[63, 60], [15]]
