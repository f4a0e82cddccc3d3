import re

import pytest

from ssl_asr.corpus.open_speech.speech import OpenSpeech
from ssl_asr.corpus.open_speech.splits import Splits, cut_open_speech
from ssl_asr.recipe import Corpus

CORPUS = Corpus(labeled_minutes=60, unlabeled_minutes=None, dev_minutes=6, test_minutes=4)


@pytest.fixture(scope="module")
def splits(speech: OpenSpeech) -> Splits:
    return cut_open_speech(speech, CORPUS, seed=1)


def _texts(found) -> set[str]:
    return {utterance.text for utterance in found}


def test_no_text_is_in_two_splits_nor_tested_text_in_the_language_model(splits: Splits) -> None:
    parts = [_texts(part) for part in (splits.labeled, splits.unlabeled, splits.dev, splits.test)]
    for place, one in enumerate(parts):
        assert one
        for other in parts[place + 1 :]:
            assert not one & other
    assert not set(splits.written) & (parts[2] | parts[3])
    assert parts[0] | parts[1] <= set(splits.written)


def test_held_out_speakers_are_only_tested(splits: Splits, speech: OpenSpeech) -> None:
    trained = {utterance.speaker for utterance in (*splits.labeled, *splits.unlabeled, *splits.dev)}
    for name, speakers in speech.held_out.items():
        assert not trained & speakers
        tested = [utterance for utterance in splits.test if utterance.tags["set"] == name]
        assert {utterance.speaker for utterance in tested} <= speakers
    for name, speakers in speech.seen.items():
        assert speakers <= trained
        assert {u.speaker for u in splits.test if u.tags["set"] == name} <= speakers


def test_the_sets_of_another_channel_say_so(splits: Splits, speech: OpenSpeech) -> None:
    other = {utterance.tags["set"] for utterance in splits.test if utterance.tags.get("channel") == "other"}
    assert other == speech.other_channels
    for utterance in (*splits.labeled, *splits.unlabeled, *splits.dev):
        assert "channel" not in utterance.tags


def test_sizes(splits: Splits) -> None:
    def minutes(found) -> float:
        return sum(utterance.duration for utterance in found) / 60

    assert minutes(splits.labeled) == pytest.approx(60, abs=1)
    assert minutes(splits.dev) == pytest.approx(6, abs=0.5)
    for name in {utterance.tags["set"] for utterance in splits.test}:
        assert minutes(u for u in splits.test if u.tags["set"] == name) == pytest.approx(4, abs=0.5)


def test_only_believable_texts(splits: Splits) -> None:
    for utterance in (*splits.labeled, *splits.unlabeled, *splits.dev, *splits.test):
        text = utterance.text or ""
        assert re.fullmatch(r"[a-z']+( [a-z']+)+", text)
        assert 0.6 <= utterance.duration <= 30
        assert 4 <= len(re.sub("[^a-z]", "", text)) / utterance.duration <= 20


def test_the_seed_decides_and_the_order_of_clips_does_not(speech: OpenSpeech, splits: Splits) -> None:
    turned = OpenSpeech(speech.utterances[::-1], speech.held_out, speech.seen, speech.noise, speech.source)
    again = cut_open_speech(turned, CORPUS, seed=1)
    assert {u.id for u in again.labeled} == {u.id for u in splits.labeled}
    assert {u.id for u in again.test} == {u.id for u in splits.test}
    assert {u.id for u in cut_open_speech(speech, CORPUS, seed=2).labeled} != {u.id for u in splits.labeled}


def test_more_asked_than_there_is(speech: OpenSpeech, capsys: pytest.CaptureFixture[str]) -> None:
    asked = CORPUS.model_copy(update={"labeled_minutes": 1000.0, "unlabeled_minutes": 3000.0})
    cut = cut_open_speech(speech, asked, seed=1)
    ratio = sum(u.duration for u in cut.unlabeled) / sum(u.duration for u in cut.labeled)
    assert ratio == pytest.approx(3, rel=0.05)
    assert capsys.readouterr().err.count("\n") == 1
