from collections import Counter

import pytest

from ssl_asr.corpus.augment.conditions import check_conditions, in_conditions
from ssl_asr.recipe import Corpus
from ssl_asr.store.utterance import Utterance

CORPUS = Corpus(
    train_conditions=("clean", "clean", "babble-10", "room"),
    labeled_copies=2,
    test_conditions=("babble-0", "clean"),
)
RECORDINGS = [Utterance(f"u{number}", "x.wav", "s", number, 1.0, text="a b") for number in range(400)]


def test_labeled_speech_keeps_its_clean_version_first() -> None:
    for recording, versions in zip(RECORDINGS, in_conditions(RECORDINGS, "labeled", CORPUS, 1), strict=True):
        assert versions[0] == recording
        assert sorted(version.condition for version in versions[1:]) == ["babble-10", "room"]
        for version in versions[1:]:
            assert version.id == f"{recording.id}@{version.condition}"
            assert (version.recording, version.text, version.order) == (recording.id, recording.text, recording.order)


def test_unlabeled_speech_draws_one_as_often_as_listed() -> None:
    groups = in_conditions(RECORDINGS, "unlabeled", CORPUS, 1)
    assert all(len(group) == 1 for group in groups)
    drawn = Counter(group[0].condition for group in groups)
    assert drawn["clean"] == pytest.approx(200, abs=40)
    assert drawn["room"] == pytest.approx(100, abs=35)
    assert groups == in_conditions(RECORDINGS, "unlabeled", CORPUS, 1)
    assert groups != in_conditions(RECORDINGS, "unlabeled", CORPUS, 2)
    # A draw belongs to its utterance, not to its place.
    assert groups[7:9] == in_conditions(RECORDINGS[7:9], "unlabeled", CORPUS, 1)


def test_tests_are_in_every_condition_and_dev_in_none() -> None:
    for versions in in_conditions(RECORDINGS, "test", CORPUS, 1):
        assert [version.condition for version in versions] == ["clean", "babble-0"]
    assert [group[0] for group in in_conditions(RECORDINGS, "dev", CORPUS, 1)] == RECORDINGS


def test_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match=r"corpus\.train_conditions: 'bable-10'.*'babble-10'"):
        check_conditions(CORPUS.model_copy(update={"train_conditions": ("bable-10",)}))
    with pytest.raises(ValueError, match="lacks clean"):
        check_conditions(CORPUS.model_copy(update={"test_conditions": ("room",)}))
