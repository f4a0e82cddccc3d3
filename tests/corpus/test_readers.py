import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.librispeech import read_librispeech
from ssl_asr.corpus.readers.nemo import read_nemo
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.lang.text import normalise
from ssl_asr.recipe import Corpus
from tests.corpus.conftest import Clip


def _same_speech(reading: Reading, clips: list[Clip]) -> None:
    """Every utterance has a clip's samples, speaker and text, and the checks find nothing wrong."""
    usable = checked(reading, "labeled", Corpus())
    assert usable.rejects == ()
    assert len(usable.utterances) == len(clips)
    by_text = {normalise(clip.text): clip for clip in clips}
    for utterance in usable.utterances:
        clip = by_text[utterance.text or ""]
        assert utterance.speaker == clip.speaker
        samples = read_audio(utterance.audio, utterance.offset, utterance.duration, utterance.channel, clip.rate)
        assert abs(len(samples) - len(clip.samples)) <= 2
        shared = min(len(samples), len(clip.samples))
        assert np.corrcoef(samples[:shared], clip.samples[:shared])[0, 1] > 0.99


def _orders(reading: Reading) -> dict[str, list[int]]:
    orders: dict[str, list[int]] = {}
    for utterance in sorted(reading.utterances, key=lambda utterance: (utterance.speaker, utterance.offset)):
        orders.setdefault(utterance.speaker, []).append(utterance.order)
    return orders


def test_kaldi_segments_of_a_channel(kaldi_folder: Path, clips: list[Clip]) -> None:
    reading = read_kaldi(str(kaldi_folder))
    _same_speech(reading, clips)
    assert {utterance.channel for utterance in reading.utterances} == {1}
    assert all(orders == list(range(len(orders))) for orders in _orders(reading).values())


def test_kaldi_without_segments_or_texts(tmp_path: Path, clips: list[Clip]) -> None:
    soundfile.write(tmp_path / "a.flac", clips[0].samples, clips[0].rate)
    (tmp_path / "wav.scp").write_text(f"one {tmp_path / 'a.flac'}\ntwo sph2pipe -f wav x.sph |\n\n")
    reading = read_kaldi(str(tmp_path))
    (utterance,) = reading.utterances
    assert (utterance.text, utterance.speaker, utterance.duration) == (None, "one", math.inf)
    (timed,) = checked(reading, "unlabeled", Corpus()).utterances
    assert timed.duration == pytest.approx(len(clips[0].samples) / clips[0].rate)
    assert [reject.id for reject in reading.rejects] == ["two"]
    assert "pipe" in reading.rejects[0].reason


def test_kaldi_mistakes(tmp_path: Path, kaldi_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"wav\.scp"):
        read_kaldi(str(tmp_path / "nowhere"))
    with (kaldi_folder / "segments").open("a") as file:
        file.write("lost other 0.0 1.0\n")
    assert [reject.id for reject in read_kaldi(str(kaldi_folder)).rejects] == ["lost"]
    with (kaldi_folder / "segments").open("a") as file:
        file.write("odd call zero one\n")
    with pytest.raises(ValueError, match="line of odd"):
        read_kaldi(str(kaldi_folder))


def test_librispeech_tree(tmp_path: Path, clips: list[Clip]) -> None:
    numbers = {speaker: 100 + place for place, speaker in enumerate(dict.fromkeys(clip.speaker for clip in clips))}
    renamed = []
    for place, clip in enumerate(clips):
        speaker = str(numbers[clip.speaker])
        folder = tmp_path / speaker / "7"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{speaker}-7-{place:04d}"
        soundfile.write(folder / f"{name}.flac", clip.samples, clip.rate)
        with (folder / f"{speaker}-7.trans.txt").open("a") as file:
            file.write(f"{name} {clip.text.upper()}\n")
        renamed.append(Clip(clip.samples, clip.rate, speaker, clip.text))
    _same_speech(read_librispeech(str(tmp_path)), renamed)
    with (folder / f"{speaker}-7.trans.txt").open("a") as file:
        file.write(f"{speaker}-7-9999 GONE\n")
    (reject,) = read_librispeech(str(tmp_path)).rejects
    assert reject.id == f"{speaker}-7-9999"
    with pytest.raises(ValueError, match="not a LibriSpeech tree"):
        read_librispeech(str(tmp_path / "nowhere"))


def test_nemo_lines(tmp_path: Path, clips: list[Clip]) -> None:
    joined = np.concatenate([clip.samples for clip in clips[1:]])
    soundfile.write(tmp_path / "long.flac", joined, 16000)
    soundfile.write(tmp_path / "first.wav", clips[0].samples, 16000)
    rows = [{"audio_filepath": "first.wav", "text": clips[0].text, "speaker": clips[0].speaker, "duration": None}]
    at = 0.0
    for clip in clips[1:]:
        seconds = len(clip.samples) / clip.rate
        rows.append(
            {
                "audio_filepath": str(tmp_path / "long.flac"),
                "offset": at,
                "duration": seconds,
                "text": clip.text,
                "speaker": clip.speaker,
            }
        )
        at += seconds
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    reading = read_nemo(str(manifest))
    _same_speech(reading, clips)
    assert len({utterance.id for utterance in reading.utterances}) == len(clips)
    tagged = {**rows[0], "tags": {"set": "far", "channel": "other"}}
    manifest.write_text("\n".join(map(json.dumps, [tagged, {**rows[0], "tags": ["far"]}])))
    reading = read_nemo(str(manifest))
    assert [utterance.tags for utterance in reading.utterances] == [tagged["tags"]]
    assert "tags are ['far'], not an object of strings" in reading.rejects[0].reason
    odd = [json.dumps({**rows[0], "offset": offset}) for offset in (-1, math.nan)]
    manifest.write_text("\n".join(['{"text": "no audio"}', "not json", '["a list"]', *odd]))
    reading = read_nemo(str(manifest))
    assert reading.utterances == ()
    assert [reject.id for reject in reading.rejects] == [f"line {number}" for number in range(1, 6)]
    assert "its offset is nan" in reading.rejects[-1].reason
    manifest.write_text(json.dumps({**rows[0], "text": "two\u2028lines"}, ensure_ascii=False))
    assert [each.text for each in read_nemo(str(manifest)).utterances] == ["two\u2028lines"]
    with pytest.raises(ValueError, match="no such NeMo manifest"):
        read_nemo(str(tmp_path / "absent.jsonl"))


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_lhotse_cuts(tmp_path: Path, clips: list[Clip], ending: str) -> None:
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    joined = np.concatenate([clip.samples for clip in clips])
    soundfile.write(tmp_path / "long.flac", joined, 16000)
    recording = Recording.from_file(tmp_path / "long.flac")
    cuts, at = [], 0
    for number, clip in enumerate(clips):
        seconds = len(clip.samples) / 16000
        spoken = SupervisionSegment(f"s{number}", recording.id, 0, seconds, text=clip.text, speaker=clip.speaker)
        cuts.append(MonoCut(f"c{number}", at / 16000, seconds, 0, supervisions=[spoken], recording=recording))
        at += len(clip.samples)
    file = tmp_path / f"cuts.{ending}"
    CutSet.from_cuts(cuts).to_file(file)
    _same_speech(read_lhotse(str(file)), clips)
    cuts[0].custom = {"tags": {"set": "far"}}
    CutSet.from_cuts(cuts[:2]).to_file(file)
    assert [each.tags for each in read_lhotse(str(file)).utterances] == [{"set": "far"}, {}]
    odd = [cuts[0].append(cuts[1]), cuts[2].perturb_speed(1.1)]
    CutSet.from_cuts(odd).to_file(file)
    reading = read_lhotse(str(file))
    assert reading.utterances == ()
    assert len(reading.rejects) == 2


def test_lhotse_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such lhotse manifest"):
        read_lhotse(str(tmp_path / "absent.jsonl"))
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(gzip.compress(b'{"id": "a"\n')[:-4])
    with pytest.raises(ValueError, match=r"damaged\.jsonl\.gz"):
        read_lhotse(str(damaged))
