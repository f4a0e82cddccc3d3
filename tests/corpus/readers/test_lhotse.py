from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.reading import Reading
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech

GAP = 4000  # samples between the clips of a talk


@pytest.fixture
def talk(tmp_path: Path, clips: list[Clip]) -> Any:
    """A recording of all clips with gaps, and a supervision for each."""
    from lhotse import Recording, SupervisionSegment

    gap = np.zeros(GAP, np.float32)
    joined = np.concatenate([part for clip in clips for part in (gap, clip.samples)])
    soundfile.write(tmp_path / "talk.flac", joined, 16000)
    recording = Recording.from_file(tmp_path / "talk.flac")
    spoken, at = [], GAP
    for number, clip in enumerate(clips):
        seconds = len(clip.samples) / 16000
        who = clip.speaker
        spoken.append(SupervisionSegment(f"s{number}", recording.id, at / 16000, seconds, 0, clip.text, speaker=who))
        at += len(clip.samples) + GAP
    return recording, spoken


def cuts_of(talk: Any) -> Any:
    """One cut of the whole recording, with all supervisions."""
    from lhotse import CutSet, RecordingSet, SupervisionSet

    recording, spoken = talk
    return CutSet.from_manifests(
        recordings=RecordingSet.from_recordings([recording]), supervisions=SupervisionSet.from_segments(spoken)
    )


def written(file: Path, cuts: Any) -> Reading:
    from lhotse import CutSet

    CutSet.from_cuts(cuts).to_file(file)
    return read_lhotse(str(file))


def read(file: Path, *rows: object) -> Reading:
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return read_lhotse(str(file))


def row(**changes: Any) -> dict[str, Any]:
    """A cut of 10 s from second 5 of a recording, with one supervision."""
    spoken = {
        "id": "s",
        "recording_id": "r",
        "start": 2.0,
        "duration": 3.0,
        "channel": 0,
        "text": "yes",
        "speaker": "ann",
    }
    recording = {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "/r.wav"}], "duration": 60.0}
    cut = {"id": "c", "start": 5.0, "duration": 10.0, "channel": 0, "recording": recording, "type": "MonoCut"}
    return {**cut, "supervisions": [{**spoken, **changes.pop("spoken", {})}], **changes}


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_cut_is_not_its_supervisions(tmp_path: Path, clips: list[Clip], talk: Any, ending: str) -> None:
    file, whole = tmp_path / f"cuts.{ending}", cuts_of(talk)
    for cuts in (
        whole,  # several in one cut
        whole.trim_to_supervisions(),
        *(  # with the speech around them
            whole.trim_to_supervisions(keep_overlapping=False, min_duration=4.5, context_direction=direction)
            for direction in ("left", "right")
        ),
        whole.resample(8000),
    ):
        reading = written(file, cuts)
        same_speech(reading, clips)
        assert sorted(each.id for each in reading.utterances) == [f"s{number}" for number in range(len(clips))]


def test_cuts_that_are_no_plain_audio_are_rejected_with_what_they_are(tmp_path: Path, talk: Any) -> None:
    one, two, *_ = cuts_of(talk).trim_to_supervisions()
    odd = {
        "is padded": one.pad(8.0),
        "appends 2 cuts": one.append(two),
        "mixes 2 cuts": one.mix(two, snr=10),
        "its audio is changed (Speed)": one.perturb_speed(1.1),
        "its audio is changed (Volume)": one.perturb_volume(2.0),
    }
    reading = written(tmp_path / "cuts.jsonl", odd.values())
    assert reading.utterances == ()
    for name, reject in zip(odd, reading.rejects, strict=True):
        assert name in reject.reason
        assert f"line {[*odd].index(name) + 1}" in reject.reason
    assert [reject.id for reject in reading.rejects] == [cut.id for cut in odd.values()]


def test_times_of_a_supervision_count_from_its_cut(tmp_path: Path) -> None:
    file = tmp_path / "cuts.jsonl"
    (found,) = read(file, row()).utterances
    assert (found.id, found.offset, found.duration, found.speaker) == ("s", 7.0, 3.0, "ann")
    (found,) = read(file, row(spoken={"start": -0.4, "duration": 10.8})).utterances
    assert (found.offset, found.duration) == (5.0, 10.0)
    for out in ({"start": -0.6}, {"start": 7.6}, {"start": 2, "duration": 8.6}):
        (reject,) = read(file, row(spoken=out)).rejects
        assert reject.id == "s"
        assert "a supervision of the cut c: it lies 0.60 s outside" in reject.reason


def test_a_cut_without_supervisions_is_an_utterance(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "cuts.jsonl", row(supervisions=[], custom={"tags": {"set": "far"}})).utterances
    assert (found.id, found.offset, found.duration, found.text, found.speaker) == ("c", 5.0, 10.0, None, "r")
    assert found.tags == {"set": "far"}


def test_texts_and_speakers(tmp_path: Path) -> None:
    file, texts = tmp_path / "cuts.jsonl", {"texts": ["Yes, sir.", "YES SIR"]}
    assert [each.text for each in read(file, row(spoken={"text": None, "custom": texts})).utterances] == ["Yes, sir."]
    assert [each.text for each in read(file, row(spoken={"custom": texts})).utterances] == ["yes"]
    assert [each.text for each in read(file, row(spoken={"text": ""})).utterances] == [""]
    assert [each.text for each in read(file, row(spoken={"text": "a\u2028b"})).utterances] == ["a\u2028b"]
    for speaker, name in ((0, "0"), ("0", "0"), (None, "r"), ("", "r")):
        assert [each.speaker for each in read(file, row(spoken={"speaker": speaker})).utterances] == [name]


def test_channels(tmp_path: Path) -> None:
    def sources(*channels: list[int]) -> dict[str, Any]:
        files = [{"type": "file", "channels": each, "source": f"/{each[0]}.wav"} for each in channels]
        return {"id": "r", "sources": files}

    file = tmp_path / "cuts.jsonl"
    both = {"channel": [0, 1], "type": "MultiCut"}
    for recording, audio, place in ((sources([0, 1]), "/0.wav", 1), (sources([0], [1]), "/1.wav", 0)):
        for cut in ({"channel": 1}, both):
            (found,) = read(file, row(recording=recording, spoken={"channel": 1}, **cut)).utterances
            assert (found.audio, found.channel) == (audio, place)
    for spoken in ({"channel": [0, 1]}, {"channel": None}):
        (reject,) = read(file, row(recording=sources([0, 1]), spoken=spoken, **both)).rejects
        assert "with_channels" in reject.reason
    (reject,) = read(file, row(spoken={"channel": 1})).rejects
    assert "it is of channels [1], and its cut of [0]" in reject.reason
    (reject,) = read(file, row(recording=sources([1]))).rejects
    assert "0 sources of the recording r have channel 0" in reject.reason


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("command", "its audio is the output of a shell command, which is not run; save the audio to files"),
        ("memory", "its audio is inside the manifest; save"),
        ("shar", "its audio is in the tars of a Shar folder, which shar:FOLDER reads; save"),
        ("tape", "its audio is of the type tape; save"),
    ],
)
def test_audio_that_is_no_file(tmp_path: Path, kind: str, why: str) -> None:
    source = {"type": kind, "channels": [0], "source": "sox in.wav -t wav - |"}
    (reject,) = read(tmp_path / "cuts.jsonl", row(recording={"id": "r", "sources": [source]})).rejects
    assert why in reject.reason


def test_relative_paths_are_of_the_current_directory_or_else_of_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wavs/one.wav", "list/wavs/one.wav", "list/wavs/two.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    rows = []
    for name in ("one", "two"):
        source = {"type": "file", "channels": [0], "source": f"wavs/{name}.wav"}
        rows.append(row(recording={"id": name, "sources": [source]}, spoken={"id": name}))
    found = read(tmp_path / "list" / "cuts.jsonl", *rows).utterances
    assert {each.id: each.audio for each in found} == {
        "one": f"{tmp_path}/wavs/one.wav",
        "two": f"{tmp_path}/list/wavs/two.wav",
    }


def test_malformed_cuts_are_rejected_one_by_one(tmp_path: Path) -> None:
    bad = [
        {"recording": None},
        {"recording": 7},
        {"recording": {"id": "r", "sources": [1]}},
        {"recording": {"id": "r", "sources": [{"type": "file", "channels": 0, "source": 5}]}},
        {"recording": {"id": "r", "sources": [{"type": "file", "channels": None}]}},
        {"duration": None},
        {"duration": float("nan")},
        {"start": -1},
        {"id": None},
        {"supervisions": {}},
        {"custom": []},
        {"spoken": {"duration": -1}},
        {"spoken": {"start": None}},
        {"spoken": {"custom": 7, "text": None}},
        {"spoken": {"text": None, "custom": {"texts": [7]}}},
        {"type": "MixedCut", "tracks": [{"cut": 7}, {"offset": "x"}]},
        {"channel": {}},
    ]
    reading = read(tmp_path / "cuts.jsonl", row(), *(row(**changes) for changes in bad), "[]", "nothing")
    assert len(reading.utterances) == 1
    assert len(reading.rejects) == len(bad) + 2


def test_manifests_of_another_kind_are_refused_with_what_to_do(tmp_path: Path, talk: Any) -> None:
    from lhotse import RecordingSet, SupervisionSet

    recording, spoken = talk
    RecordingSet.from_recordings([recording]).to_file(tmp_path / "r.jsonl")
    SupervisionSet.from_segments(spoken).to_file(tmp_path / "s.jsonl")
    for file, kind in (("r.jsonl", "recordings"), ("s.jsonl", "supervisions")):
        with pytest.raises(ValueError, match=rf"{file} is a manifest of {kind}, not of cuts; .*: lhotse cut simple"):
            read_lhotse(str(tmp_path / file))
    cuts_of(talk).to_file(tmp_path / "cuts.json")
    with pytest.raises(ValueError, match=r"cuts\.json is a JSON array"):
        read_lhotse(str(tmp_path / "cuts.json"))
    cuts_of(talk).to_file(tmp_path / "cuts.yaml")
    with pytest.raises(ValueError, match=r"cuts\.yaml is not a lhotse manifest in JSON lines .*: lhotse copy"):
        read_lhotse(str(tmp_path / "cuts.yaml"))
    with pytest.raises(ValueError, match="no such lhotse manifest"):
        read_lhotse(str(tmp_path / "absent.jsonl"))
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(gzip.compress(json.dumps(row()).encode())[:-4])
    with pytest.raises(ValueError, match=r"damaged\.jsonl\.gz is not a whole gzip file"):
        read_lhotse(str(damaged))
