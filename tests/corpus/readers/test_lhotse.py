from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.readers.lhotse import read_lhotse
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech


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
    same_speech(read_lhotse(str(file)), clips)
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
