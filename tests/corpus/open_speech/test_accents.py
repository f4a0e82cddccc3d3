"""Simulated accents: whose talkers are where, how much each accent says, and that they join open speech."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import sources
from ssl_asr.corpus.open_speech import accents
from ssl_asr.corpus.open_speech.accents import ACCENTS, TESTED, TRAINED, accented_talkers, lines
from ssl_asr.corpus.open_speech.speech import OpenSpeech, open_speech
from ssl_asr.corpus.open_speech.splits import cut_open_speech
from ssl_asr.recipe import Corpus, load_recipe
from tests.conftest import CACHE

OF_TEST = accents.tested_talkers()


def test_a_third_of_each_accent_lives_in_the_country_of_another() -> None:
    middles = {each.name: (each.latitude, each.longitude) for each in ACCENTS}
    for is_tested in (False, True):
        away = Counter(
            each.accent
            for each in accented_talkers()
            if each.is_tested == is_tested
            and np.abs(np.subtract((each.latitude, each.longitude), middles[each.accent])).max() > 2
        )
        assert all(away[each.name] in (2, 3) for each in ACCENTS)
    elsewhere = [each for each in accented_talkers() if each.lives_with != each.accent]
    assert {each.lives_with for each in elsewhere} == {*middles}
    assert len(elsewhere) == len(ACCENTS) * 5  # of 16


def test_talkers_live_around_the_middle_of_a_country() -> None:
    talkers = accented_talkers()
    assert len({each.name for each in talkers}) == len(talkers) == len(ACCENTS) * (TRAINED + TESTED)
    middles = {each.name: (each.latitude, each.longitude) for each in ACCENTS}
    for each in talkers:
        assert np.abs(np.subtract((each.latitude, each.longitude), middles[each.lives_with])).max() <= 2
        assert float(each.tags["latitude"]) == pytest.approx(each.latitude, abs=0.006)
    assert len({(each.talker.pitch, each.talker.speed) for each in talkers}) == len(talkers)
    assert talkers == accented_talkers()


def test_no_sentence_is_said_twice_and_accents_say_as_much_as_they_are_given() -> None:
    said = lines()
    assert len({each.text for each in said}) == len(said)
    accent = {each.name: each.accent for each in accented_talkers()}
    trained = Counter(accent[each.speaker] for each in said if each.speaker not in OF_TEST)
    assert trained == {each.name: each.sentences for each in ACCENTS}
    tested = Counter(each.speaker for each in said if each.speaker in OF_TEST)
    assert len(tested) == len(ACCENTS) * TESTED
    assert len({*tested.values()}) == 1
    assert len({(each.speaker, each.number) for each in said}) == len(said)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> OpenSpeech:
    """With two talkers of each accent, one of them of test, who say one sentence each."""
    pytest.importorskip("py_nanotts")
    cache = tmp_path_factory.mktemp("cache")
    for name in ("packages", "clips"):
        (cache / name).mkdir()
        for each in Path(CACHE, name).iterdir():
            if not each.name.startswith(accents.CORPUS):
                (cache / name / each.name).symlink_to(each.absolute())
    few = {each.speaker: each for each in lines() if each.speaker.endswith(("-00", f"-{TRAINED:02d}"))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accents, "lines", lambda: list(few.values()))
        return open_speech(str(cache), accented=True)


def test_it_is_english_by_other_voices_with_a_place(recorded: OpenSpeech, spoken: OpenSpeech) -> None:
    added = [each for each in spoken.utterances if each.tags["corpus"] == accents.CORPUS]
    assert len(added) == 2 * len(ACCENTS) == len(spoken.utterances) - len(recorded.utterances)
    for each in added:
        samples, rate = soundfile.read(each.audio)
        assert rate == 16000
        assert len(samples) == pytest.approx(each.duration * rate, abs=1)
        assert np.abs(samples).max() > 0.1
        assert each.speaker.split("-")[1] == each.tags["accent"]
        assert {"latitude", "longitude"} < {*each.tags}
    assert not any("latitude" in each.tags for each in recorded.utterances)


def test_its_test_talkers_are_a_test_set_and_in_no_other_split(spoken: OpenSpeech) -> None:
    splits = cut_open_speech(spoken, Corpus(accents=True, unlabeled_minutes=None), seed=1)
    tested = {each.speaker for each in splits.test if each.tags["set"] == accents.CORPUS}
    assert len(tested) == len(ACCENTS)
    assert tested <= OF_TEST
    others = {each.speaker for each in (*splits.labeled, *splits.unlabeled, *splits.dev)}
    assert not others & OF_TEST
    assert sum(name.startswith("accent-") for name in others) == len(ACCENTS)


def test_splits_are_cut_again_where_the_talkers_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "open_speech", lambda *_, accented: OpenSpeech((), {}, {}, {}, "nobody"))
    monkeypatch.setattr(sources, "cut_open_speech", lambda *_: None)
    recipes = [load_recipe("demo", [f"corpus.accents={value}"]) for value in ("true", "false")]
    now = [sources.cut_speech(recipe).id for recipe in recipes]
    monkeypatch.setattr(accents, "VERSION", 99)
    then = [sources.cut_speech(recipe).id for recipe in recipes]
    assert then[0] != now[0]
    assert then[1] == now[1]


def test_the_synthesiser_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "py_nanotts", None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'ssl-asr\[synthetic\]'"):
        accents.accented_speech(tmp_path)
    assert not list(tmp_path.rglob("*.flac"))
