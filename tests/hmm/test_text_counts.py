"""What the stage says of texts in doubt."""

from __future__ import annotations

import pytest

from ssl_asr.hmm.text_check import TextCheck
from ssl_asr.hmm.text_counts import Counts, TextCounts, total_counts, warnings

RIGHT, WRONG = TextCheck(0.8, 3.0), TextCheck(0.0, -0.1, "other")
BEFORE, AFTER = TextCheck(0.0, -2.0, "before", -1), TextCheck(0.0, -2.0, "after", 1)


def statistics(**speakers: list[TextCheck]) -> dict:
    counts = TextCounts()
    for name, checks in speakers.items():
        for check in checks:
            counts.add(name, check)
    return counts.statistics()


def test_counts_add_over_shards():
    shards = [statistics(anna=[RIGHT, WRONG, BEFORE]), statistics(anna=[RIGHT], ben=[AFTER])]
    assert total_counts(shards) == Counts(checked=5, doubted=3, before=1, after=1)
    assert warnings([statistics(anna=[RIGHT] * 50 + [WRONG] * 4 + [BEFORE] * 4)]) == []


def test_a_speaker_whose_texts_are_shifted_is_named():
    (said,) = warnings([statistics(anna=[RIGHT] * 80), statistics(ben=[BEFORE] * 9 + [RIGHT], carl=[RIGHT] * 9)])
    assert said.startswith("9 of 10 texts of the speaker ben look shifted by one: the text of the utterance before")


@pytest.mark.parametrize(("check", "where"), [(BEFORE, "before"), (AFTER, "after")])
def test_a_corpus_that_is_shifted_is_told_in_one_sentence(check, where):
    shards = [statistics(anna=[check] * 7 + [RIGHT] * 13), statistics(ben=[check] * 8 + [RIGHT] * 12)]
    first, *others = warnings(shards)
    assert first.startswith(
        f"15 of 40 texts of the labeled speech look shifted by one: the text of the utterance {where}"
    )
    assert len(others) == 1


def test_a_model_that_cannot_tell_says_so():
    (said,) = warnings([statistics(anna=[WRONG] * 4 + [RIGHT] * 6)])
    assert said.startswith("4 of 10 texts explain their audio hardly better than texts of other utterances")
