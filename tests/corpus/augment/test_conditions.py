import itertools
from collections import Counter

import pytest

from ssl_asr.corpus.augment.conditions import check_conditions, needs_banks, versions
from ssl_asr.corpus.augment.conditions import in_conditions as rows_in_conditions
from ssl_asr.corpus.augment.noise import bank_use
from ssl_asr.recipe import Corpus
from ssl_asr.store.utterance import SPLITS, Utterance, decode, encode

CORPUS = Corpus(
    train_conditions=("clean", "clean", "babble-10", "room"),
    labeled_copies=2,
    dev_conditions=("clean", "room"),
    test_conditions=("babble-0", "clean"),
)
RECORDINGS = [Utterance(f"u{number}", "x.wav", "s", number, 1.0, text="a b") for number in range(400)]


def in_conditions(recordings: list[Utterance], split: str, corpus: Corpus, seed: int) -> list[list[Utterance]]:
    rows = decode(rows_in_conditions(encode(recordings), split, corpus, seed))
    return [list(group) for _, group in itertools.groupby(rows, key=lambda row: row.recording)]


def test_labeled_speech_keeps_its_clean_version_first() -> None:
    for recording, group in zip(RECORDINGS, in_conditions(RECORDINGS, "labeled", CORPUS, 1), strict=True):
        assert group[0] == recording
        assert sorted(version.condition for version in group[1:]) == ["babble-10", "room"]
        for version in group[1:]:
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


@pytest.mark.parametrize(("split", "conditions"), [("test", ["clean", "babble-0"]), ("dev", ["clean", "room"])])
def test_dev_and_test_are_in_every_condition_of_theirs(split: str, conditions: list[str]) -> None:
    groups = in_conditions(RECORDINGS, split, CORPUS, 1)
    assert [group[0] for group in groups] == RECORDINGS
    for group in groups:
        assert [version.condition for version in group] == conditions


def test_recorded_noise_is_needed_where_any_split_has_it() -> None:
    assert not needs_banks(Corpus(dev_conditions=("clean", "room")))
    for key in ("train_conditions", "dev_conditions", "test_conditions"):
        assert needs_banks(Corpus(**{key: ("clean", "effects-10")}))


def test_training_dev_and_test_share_no_noise() -> None:
    assert {split: bank_use(split) for split in SPLITS} == {
        "labeled": "train",
        "unlabeled": "train",
        "dev": "dev",
        "test": "test",
    }


def test_unlabeled_copies_are_drawn_as_labeled_ones_beside_the_clean_version() -> None:
    corpus = CORPUS.model_copy(update={"unlabeled_copies": 2})
    assert in_conditions(RECORDINGS, "unlabeled", corpus, 1) == in_conditions(RECORDINGS, "labeled", corpus, 1)
    one = in_conditions(RECORDINGS, "unlabeled", CORPUS.model_copy(update={"unlabeled_copies": 1}), 1)
    assert all([len(group), group[0]] == [2, recording] for group, recording in zip(one, RECORDINGS, strict=True))
    assert Counter(group[1].condition for group in one)["room"] == pytest.approx(200, abs=40)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("copies", [0, 2])
def test_as_many_versions_as_are_told(split: str, copies: int) -> None:
    corpus = CORPUS.model_copy(update={"labeled_copies": 1, "unlabeled_copies": copies})
    groups = in_conditions(RECORDINGS, split, corpus, 1)
    assert {len(group) for group in groups} == {versions(corpus, split)}


def test_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match=r"corpus\.train_conditions: 'bable-10'.*'babble-10'"):
        check_conditions(CORPUS.model_copy(update={"train_conditions": ("bable-10",)}))
    for key in ("dev_conditions", "test_conditions"):
        with pytest.raises(ValueError, match=rf"corpus\.{key} lacks clean"):
            check_conditions(CORPUS.model_copy(update={key: ("room",)}))
    for key in ("dev_conditions", "test_conditions"):
        with pytest.raises(ValueError, match=rf"corpus\.{key}: speed-0.9\+room is for training alone"):
            check_conditions(CORPUS.model_copy(update={key: ("clean", "speed-0.9+room")}))
    for key in ("labeled_copies", "unlabeled_copies"):
        with pytest.raises(ValueError, match=rf"corpus\.{key}=3 asks for more copies than the 2 different degraded"):
            check_conditions(CORPUS.model_copy(update={key: 3}))
