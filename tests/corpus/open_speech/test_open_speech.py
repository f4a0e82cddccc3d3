"""The layouts of the recorded packages are read right: what is known of a few clips, and of all."""

import os
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.open_speech import amazon_queen, packages
from ssl_asr.corpus.open_speech.clips import Clip, indexed, is_one_person
from ssl_asr.corpus.open_speech.speech import OpenSpeech, open_speech
from tests.conftest import CACHE


def test_clips_of_all_three_packages(recorded: OpenSpeech) -> None:
    counted = Counter(utterance.tags["corpus"] for utterance in recorded.utterances)
    assert counted["queen"] > 6000
    assert counted["drascula"] > 700
    assert counted["asterisk"] > 500
    hours = sum(utterance.duration for utterance in recorded.utterances) / 3600
    assert hours == pytest.approx(5.7, abs=0.2)
    assert len({utterance.id for utterance in recorded.utterances}) == len(recorded.utterances)


def test_a_cached_corpus_is_read_again_the_same(recorded: OpenSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no apt
    assert open_speech(CACHE) == recorded


def test_a_cache_may_be_moved(tmp_path: Path) -> None:
    """Prompts stay where their package lies, beside the index, and are found from there."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    soundfile.write(before / "prompt.wav", np.zeros(800, np.int16), 8000)
    listed = partial(_one_prompt, before / "prompt.wav")
    (written,) = indexed(before / "clips" / "asterisk-1", listed)
    assert written.audio == str(before / "prompt.wav")
    before.rename(after)
    (found,) = indexed(after / "clips" / "asterisk-1", listed)
    assert found.audio == str(after / "prompt.wav")


def _one_prompt(clip: Path, out: Path) -> list[Clip]:
    return [Clip("asterisk-prompt", os.path.relpath(clip, out), "asterisk-allison", "Prompt.", "asterisk")]


def test_texts_belong_to_their_clips(recorded: OpenSpeech) -> None:
    found = {utterance.id: utterance for utterance in recorded.utterances}
    assert found["queen-020001P2"].speaker == "queen-and"  # a dialogue: the other person
    assert found["queen-020006J1"].speaker == "queen-joe"  # a dialogue: the hero
    assert found["queen-C100A061"].speaker == "queen-joe"  # a cut scene, its speaker from the object record
    assert (found["queen-C100A061"].text or "").startswith("I'm Joe King")
    assert found["drascula-102"].speaker == "drascula-john"
    assert (found["asterisk-activated"].text, found["asterisk-activated"].speaker) == (
        "Activated.",
        "asterisk-allison",
    )
    # A wrong match of texts and clips would leave their lengths unrelated.
    for corpus, least in (("queen", 0.75), ("drascula", 0.75), ("asterisk", 0.75)):
        pairs = [(len(u.text or ""), u.duration) for u in recorded.utterances if u.tags["corpus"] == corpus]
        mean = [sum(column) / len(pairs) for column in zip(*pairs, strict=True)]
        spread = [sum((pair[axis] - mean[axis]) ** 2 for pair in pairs) ** 0.5 for axis in (0, 1)]
        shared = sum((pair[0] - mean[0]) * (pair[1] - mean[1]) for pair in pairs)
        assert shared / spread[0] / spread[1] > least


def test_the_held_out_character_is_found_in_cut_scenes_too(recorded: OpenSpeech) -> None:
    (speakers,) = [recorded.held_out["bob"]]
    spoken = [utterance.id for utterance in recorded.utterances if utterance.speaker in speakers]
    assert len(spoken) > 250
    assert sum(identity.startswith("queen-C") for identity in spoken) > 50


def test_scenes_of_unknown_talkers_are_no_persons(recorded: OpenSpeech) -> None:
    scenes = Counter(each.speaker for each in recorded.utterances if not is_one_person(each.speaker))
    assert scenes["queen-scene-comic"] == 39
    assert len(scenes) > 20
    assert sum(scenes.values()) < 150
    people = {each.speaker for each in recorded.utterances} - {*scenes}
    assert {"queen-joe", "queen-bob", "asterisk-allison"} <= people
    assert {*recorded.held_out["bob"], *recorded.held_out["drascula"], *recorded.seen["joe"]} <= people


def test_a_changed_layout_is_refused(tmp_path: Path) -> None:
    file = tmp_path / amazon_queen._ARCHIVE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"ZIP!" + bytes(100))
    with pytest.raises(ValueError, match="QTBL"):
        amazon_queen.read_archive(tmp_path)


def test_licences_of_every_package(recorded: OpenSpeech) -> None:
    texts = packages.licences(Path(CACHE))
    assert set(texts) == set(packages.SHA256)
    assert "Passfield" in texts["flight-of-the-amazon-queen"]
    assert "Alcachofa" in texts["drascula"]
    assert all("CREATIVE COMMONS" in text for name, text in texts.items() if name.startswith("asterisk"))
