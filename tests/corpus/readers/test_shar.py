"""Shar folders as lhotse writes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.readers.lhotse import read_lhotse
from ssl_asr.corpus.readers.reading import Reading, joined
from ssl_asr.corpus.readers.registry import READERS, ReadOptions, pieces_at
from ssl_asr.corpus.readers.shar import read_shar, shar_pieces
from tests.corpus.conftest import Clip
from tests.corpus.readers.same import same_speech


def cuts_of(folder: Path, clips: list[Clip], first: int = 0) -> Any:
    """A cut of each clip from the second channel of a longer recording."""
    from lhotse import CutSet, MonoCut, Recording, SupervisionSegment

    folder.mkdir(exist_ok=True, parents=True)
    cuts = []
    for number, clip in enumerate(clips, first):
        padded = np.concatenate([np.zeros(8000, np.float32), clip.samples, np.zeros(4000, np.float32)])
        soundfile.write(folder / f"{number}.wav", np.stack([0 * padded, padded], axis=1), clip.rate)
        recording = Recording.from_file(folder / f"{number}.wav")
        seconds = len(clip.samples) / clip.rate
        name = f"dir/cut.{number}"
        said = SupervisionSegment(f"s{number}", recording.id, 0, seconds, 1, clip.text, speaker=clip.speaker)
        cuts.append(MonoCut(name, 0.5, seconds, 1, recording=recording, supervisions=[said]))
    return CutSet.from_cuts(cuts)


def write_shar(folder: Path, clips: list[Clip], first: int = 0, form: str = "flac") -> Path:
    """Two cuts a file."""
    cuts = cuts_of(folder.with_name(f"{folder.name}-wavs"), clips, first)
    folder.mkdir(exist_ok=True, parents=True)
    cuts.to_shar(str(folder), fields={"recording": form}, shard_size=2)
    return folder


def read(folder: Path) -> Reading:
    return joined(read_shar(piece.uri) for piece in shar_pieces(str(folder)))


@pytest.mark.parametrize("form", ["flac", "wav", "original"])
def test_what_lhotse_writes(tmp_path: Path, clips: list[Clip], form: str) -> None:
    folder = write_shar(tmp_path / "shar", clips, form=form)
    reading = read(folder)
    same_speech(reading, clips)
    assert (reading.rejects, reading.counts) == ((), {})
    tars = {f"{folder}/recording.{number:06d}.tar" for number in range(3)}
    assert reading.files == {file_of(each.audio) for each in reading.utterances} == tars
    assert sorted(each.id for each in reading.utterances) == [f"s{number}" for number in range(6)]
    for each in reading.utterances:
        clip = clips[int(each.id[1:])]
        samples = read_audio(each.audio, each.offset, each.duration, each.channel, clip.rate)
        np.testing.assert_allclose(samples, clip.samples, atol=2**-14)


def test_a_folder_that_is_not_sharded(tmp_path: Path, clips: list[Clip]) -> None:
    folder = write_shar(tmp_path / "shar", clips[:2])
    (folder / "cuts.000000.jsonl.gz").rename(folder / "cuts.jsonl.gz")
    (folder / "recording.000000.tar").rename(folder / "recording.tar")
    same_speech(read(folder), clips[:2])
    assert shar_pieces(str(tmp_path / "absent")) == []


def test_the_lhotse_reader_names_this_one(tmp_path: Path, clips: list[Clip]) -> None:
    folder = write_shar(tmp_path / "shar", clips[:2])
    reading = read_lhotse(str(folder / "cuts.000000.jsonl.gz"))
    assert [reject.reason.partition("its audio ")[2][:56] for reject in reading.rejects] == [
        "is in the tars of a Shar folder, which shar:FOLDER reads"
    ] * 2


def test_cuts_without_audio_are_rejected_and_a_missing_tar_is_told(tmp_path: Path, clips: list[Clip]) -> None:
    from lhotse import CutSet, MonoCut

    folder = tmp_path / "shar"
    cuts = [*cuts_of(tmp_path / "wavs", clips[:2]), MonoCut("silent", 0.0, 1.0, 0)]
    folder.mkdir()
    CutSet.from_cuts(cuts).to_shar(str(folder), fields={"recording": "flac"})
    file = folder / "cuts.000000.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    other = {**rows[0], "id": "unknown"}
    memory = json.loads(json.dumps(rows[0]).replace('"shar"', '"memory"'))
    file.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in (*rows, other, memory)).encode()))
    reading = read(folder)
    assert [each.id for each in reading.utterances] == ["s0", "s1"]
    reasons = [reject.reason for reject in reading.rejects]
    assert "without a recording, not a MonoCut of one" in reasons[0]
    assert f"{folder}/recording.000000.tar holds 0 recordings of it, not one" in reasons[1]
    assert "its audio is of the type memory, not shar; read such cuts with lhotse:" in reasons[2]
    (folder / "recording.000000.tar").unlink()
    with pytest.raises(ValueError, match=r"recording\.000000\.tar: there is no such tar"):
        read(folder)


def test_audio_without_a_cut_is_counted(tmp_path: Path, clips: list[Clip]) -> None:
    """A member of a tar, and whole tars without a file of cuts."""
    folder = write_shar(tmp_path / "shar", clips)
    before = shar_pieces(str(folder))
    file = folder / "cuts.000001.jsonl.gz"
    first, *_ = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(first))
    (folder / "cuts.000002.jsonl.gz").unlink()
    pieces = pieces_at("shar", str(folder))
    reading = joined(READERS["shar"].read(piece, ReadOptions(current=str(tmp_path))) for piece in pieces)
    assert (len(reading.utterances), reading.rejects) == (3, ())
    assert reading.counts == {"members of tars are in no list": 1 + 2}
    assert pieces[0] != before[0], "a tar without cuts is seen when it comes"


def test_a_piece_is_another_with_another_tar(tmp_path: Path, clips: list[Clip]) -> None:
    folder = write_shar(tmp_path / "shar", clips[:4])
    before = shar_pieces(f"{tmp_path}/sh*")
    (folder / "recording.000001.tar").touch()
    after = shar_pieces(str(folder))
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize("name", ["v[12]", "v{1,2}"])
def test_a_folder_that_is_there_is_no_pattern(tmp_path: Path, clips: list[Clip], name: str) -> None:
    write_shar(tmp_path / "v1", clips[:2])
    folder = write_shar(tmp_path / name, clips[2:4], first=2)
    assert {piece.uri.rpartition("/")[0] for piece in shar_pieces(str(folder))} == {str(folder)}
    same_speech(read(folder), clips[2:4])
