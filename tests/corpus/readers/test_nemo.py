from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.readers.nemo import read_nemo
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech


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
    same_speech(reading, clips)
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
