import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus import audio_files
from ssl_asr.corpus.audio_files import UnreachableAudio, opened
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.pipes import is_pipe
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.recipe import Corpus
from ssl_asr.store.retry import without_retries
from ssl_asr.store.utterance import Utterance
from tests.corpus.conftest import Clip


@pytest.fixture
def good(tmp_path: Path, clips: list[Clip]) -> Utterance:
    soundfile.write(tmp_path / "good.wav", clips[0].samples, clips[0].rate)
    return Utterance("good", str(tmp_path / "good.wav"), "someone", 0, math.inf, text="Quite GOOD, thanks.")


def _reasons(split: str, *utterances: Utterance) -> dict[str, str]:
    return {reject.id: reject.reason for reject in checked(Reading(utterances), split, Corpus()).rejects}


def test_a_command_in_a_list_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    utterance = Utterance("a", f"pipe:touch {mark}", "s", 0, 5.0)
    for trusted in (False, True):
        (reject,) = checked(Reading((utterance,)), "unlabeled", Corpus(), trusted=trusted).rejects
        assert "this is a shell command, which is not run" in reject.reason
    assert not is_pipe(f"pipe://x;touch {mark}"), "a URI of an unknown scheme"
    listing = tmp_path / "list.jsonl"
    for audio in (f"pipe://x;touch {mark}", f"pipe:touch {mark}", f"PIPE:touch {mark}"):
        listing.write_text(json.dumps({"audio_filepath": audio, "duration": 5.0}) + "\n")
        (listed,) = read_nemo(str(listing)).utterances
        with pytest.raises(ValueError, match="touch"), opened(listed.audio, pipes=True):
            pass
    assert not mark.exists()


def test_an_outage_of_a_store_is_no_fault_of_the_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    def out(audio: str, *, pipes: bool) -> object:
        raise OSError("AWS Error NETWORK_CONNECTION during HeadObject operation")

    monkeypatch.setattr(audio_files, "open_place", out)
    with without_retries(), pytest.raises(UnreachableAudio, match="NETWORK_CONNECTION"), opened("s3://bucket/a.flac"):
        pass


def test_one_good_utterance_of_one_speaker_is_kept(good: Utterance, clips: list[Clip]) -> None:
    reading = checked(Reading((good,)), "labeled", Corpus())
    (kept,) = reading.utterances
    assert kept.text == "quite good thanks"
    assert kept.duration == pytest.approx(len(clips[0].samples) / clips[0].rate)
    assert reading.rejects == ()


def test_bad_entries_are_rejected_one_by_one(good: Utterance, tmp_path: Path, clips: list[Clip]) -> None:
    (tmp_path / "zero.wav").touch()
    soundfile.write(tmp_path / "header.wav", clips[0].samples[:0], 16000)
    bad = {
        "no-text": (replace(good, id="no-text", text=None), "text is empty"),
        "blank": (replace(good, id="blank", text=" ... "), "text is empty"),
        "digits": (replace(good, id="digits", text="in 1995"), "1 5 9"),
        "missing": (replace(good, id="missing", audio=str(tmp_path / "absent.wav")), "absent.wav"),
        "zero": (replace(good, id="zero", audio=str(tmp_path / "zero.wav")), "zero.wav"),
        "header": (replace(good, id="header", audio=str(tmp_path / "header.wav")), "header.wav"),
        "beyond": (replace(good, id="beyond", offset=1.0, duration=60.0), "fix the times"),
        "negative": (replace(good, id="negative", offset=-1.0, duration=2.0), "fix the times"),
        "backwards": (replace(good, id="backwards", offset=1.0, duration=-0.5), "lasts -0.50 s"),
        "channel": (replace(good, id="channel", channel=3), "channel 3"),
        "blip": (replace(good, id="blip", duration=0.2), "corpus.min_seconds"),
    }
    reasons = _reasons("labeled", good, *(utterance for utterance, _ in bad.values()))
    assert set(reasons) == set(bad)
    for name, (_, part) in bad.items():
        assert part in reasons[name]
        assert "\n" not in reasons[name]


def test_the_usual_lengths_are_those_of_librispeech(good: Utterance, clips: list[Clip]) -> None:
    """train-clean-100 with speed perturbation, by icefall's display_manifest_statistics.py: 1.3 to 27.2 s."""
    soundfile.write(good.audio, np.resize(clips[0].samples, 31 * 16000), 16000)
    kept = [replace(good, id=f"{seconds}", duration=seconds) for seconds in (1.3, 15.3, 27.2, 30)]
    listed = Reading((*kept, replace(good, duration=30.5)))
    for split, left_out in {"labeled": ["good"], "unlabeled": ["good"], "dev": []}.items():
        rejects = checked(listed, split, Corpus(segment=False)).rejects
        assert [reject.id for reject in rejects] == left_out
        assert all("corpus.max_seconds=30" in reject.reason for reject in rejects)
    assert len(checked(listed, "labeled", Corpus()).rejects) == 1


def test_what_is_too_long_is_set_aside_where_it_may_be_cut(good: Utterance, clips: list[Clip]) -> None:
    soundfile.write(good.audio, np.resize(clips[0].samples, 100 * 16000), 16000)
    part = replace(good, id="part", offset=20.0, duration=40.0, text=None)
    reading = checked(Reading((good, part, replace(good, id="short", duration=9.0))), "unlabeled", Corpus())
    assert [(each.id, each.offset, each.duration, each.text) for each in reading.long] == [
        ("good", 0.0, 100.0, None),
        ("part", 20.0, 40.0, None),
    ]
    assert [each.id for each in reading.utterances] == ["short"]
    assert (reading.rejects, reading.rates) == ((), {"16000": 9.0})
    assert [*reading.counts.values()] == [1]  # the text of the first


def test_a_uri_that_cannot_be_read_is_a_reject_with_the_schemes(good: Utterance) -> None:
    uris = ("https://example.org/a.wav", "ais://b/a b.wav", "hdfs://x/a.wav", "file://host/a.wav", "s3:///a")
    for uri, reason in _reasons("test", *(replace(good, id=uri, audio=uri) for uri in uris)).items():
        assert reason.startswith(f"{uri} can't be read or written (")
        assert reason.endswith("name a local path, or file:///, s3:// or gs://")
        uris = tuple(each for each in uris if each != uri)
    assert not uris


def test_awkward_names_of_files_are_taken(good: Utterance, tmp_path: Path) -> None:
    for name in ("my talk.wav", "a#b 100%.wav", "what?[x].wav", "Ünïcode é.wav", "~tilde.wav", "new.wav "):
        path = tmp_path / name
        path.write_bytes(Path(good.audio).read_bytes())
        uri = f"file://{path}".replace("%", "%25")
        assert _reasons("test", replace(good, audio=str(path)), replace(good, id="uri", audio=uri)) == {}


def test_the_second_of_equal_ids_is_rejected(good: Utterance) -> None:
    reading = checked(Reading((good, replace(good, text="another"))), "dev", Corpus())
    assert [utterance.text for utterance in reading.utterances] == ["quite good thanks"]
    assert "unique" in reading.rejects[0].reason


def test_what_ends_a_little_late_is_cut_at_the_end_of_its_file(good: Utterance, clips: list[Clip]) -> None:
    seconds = len(clips[0].samples) / clips[0].rate
    late = {
        over: replace(good, id=str(over), offset=1.0, duration=seconds - 1 + over) for over in (0.02, 0.4, 0.49, 0.6)
    }
    behind = replace(good, id="behind", offset=seconds + 0.1, duration=0.2)
    reading = checked(Reading((*late.values(), behind)), "dev", Corpus())
    assert [utterance.id for utterance in reading.utterances] == ["0.02", "0.4", "0.49"]
    assert [utterance.duration for utterance in reading.utterances] == pytest.approx([seconds - 1] * 3)
    assert [reject.id for reject in reading.rejects] == ["0.6", "behind"]
    assert list(reading.counts.values()) == [2]  # 0.02 s are a matter of rounding


@pytest.mark.parametrize("times", [{"offset": math.nan}, {"duration": math.nan}])
def test_times_that_are_no_numbers_are_rejected(good: Utterance, times: dict[str, float]) -> None:
    assert "fix the times" in _reasons("dev", replace(good, **times))["good"]


def test_unlabeled_audio_needs_no_text(good: Utterance) -> None:
    assert _reasons("unlabeled", replace(good, text=None), replace(good, id="b", text="§ 3")) == {}


def test_tests_are_not_cut_by_length(good: Utterance) -> None:
    assert _reasons("test", replace(good, duration=0.2)) == {}


def test_trusted_lengths_leave_audio_unopened() -> None:
    given = Utterance("a", "s3://nowhere/a.flac", "s", 0, 2.5, text="Yes, sir")
    listed = [given, replace(given, id="b", duration=math.inf), replace(given, id="c", duration=99.0)]
    reading = checked(Reading(tuple(listed)), "unlabeled", Corpus(), trusted=True)
    assert [(each.id, each.duration, each.text) for each in reading.utterances] == [("a", 2.5, "yes sir")]
    assert [reject.id for reject in reading.rejects] == ["b"]
    assert [each.id for each in reading.long] == ["c"]
    assert reading.files == {"s3://nowhere/a.flac"}  # of b, whose length is looked for, and of c, which is cut
    assert (reading.rates, reading.estimated_rates) == ({}, {})


def test_a_few_of_the_trusted_are_opened_for_their_rate_alone(
    good: Utterance, clips: list[Clip], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "call.wav", clips[0].samples[::2], 8000)
    listed = [
        replace(good, id=f"{number}", duration=2.0, audio=str(tmp_path / ("call.wav" if number % 4 else "good.wav")))
        for number in range(400)
    ]
    gone = replace(good, id="gone", duration=2.0, audio=str(tmp_path / "gone.wav"))
    reading = checked(Reading((*listed, gone)), "unlabeled", Corpus(), trusted=True)
    assert (len(reading.utterances), reading.rejects, reading.rates, reading.files) == (401, (), {}, frozenset())
    assert sum(reading.estimated_rates.values()) == pytest.approx(802)
    assert reading.estimated_rates["8000"] == pytest.approx(600, abs=200)
    opened_all = checked(Reading((*listed, gone)), "unlabeled", Corpus())
    assert opened_all.estimated_rates == {}
