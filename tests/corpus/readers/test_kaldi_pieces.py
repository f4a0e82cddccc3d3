from __future__ import annotations

import gzip
import math
from collections import Counter
from pathlib import Path

import pytest

from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers import kaldi_pieces as cutting
from ssl_asr.corpus.readers.kaldi import read_kaldi
from ssl_asr.corpus.readers.kaldi_pieces import kaldi_pieces
from ssl_asr.corpus.readers.reading import Reading, joined
from ssl_asr.corpus.readers.registry import pieces_at, read_listed
from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip, write_kaldi
from tests.corpus.readers.conftest import upload
from tests.corpus.readers.same import same_speech

RECORDINGS, SEGMENTS = 23, 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of several segments; some lines are missing, are twice, or match nothing."""
    root = tmp_path / "data"
    root.mkdir()
    recordings = [f"rec-{number:02}" for number in range(RECORDINGS)]
    names = [(f"{recording}-{number}", recording) for recording in recordings for number in range(SEGMENTS)]
    scp = [f"{recording} audio/{recording}.flac" for recording in recordings if recording != "rec-05"]
    segments = [f"{name} {rec} {int(name[-1])} {int(name[-1]) + 1}" for name, rec in names]
    texts = [f"{name} text of {name}" for name, _ in names] + ["rec-07-9 lost", "zz lost", "aa lost"]
    texts += ["rec-09-3 another text", "rec-10-3 text of rec-10-3"]
    speakers = [f"{name} {rec}-speaker" for name, rec in names if name != "rec-11-2"] + ["rec-01-8 nobody"]
    tables = {"wav.scp": scp, "segments": segments, "text": texts, "utt2spk": speakers}
    for name, lines in tables.items():
        (root / name).write_text("".join(f"{line}\n" for line in sorted(lines)))
    return root


def read_pieces(pieces: list[Piece]) -> Reading:
    return joined(read_kaldi(piece) for piece in pieces)


def in_ways(reading: Reading) -> tuple[object, ...]:
    """All but the place in a file that a reason names."""
    rejects = Counter((each.id, each.reason.partition(":")[0].partition(" from byte")[0]) for each in reading.rejects)
    return reading.utterances, rejects, reading.counts


@pytest.mark.parametrize("listing", ["segments", "wav.scp"])
@pytest.mark.parametrize("store", ["disk", "bucket"])
def test_pieces_list_what_the_whole_directory_does(
    folder: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, store: str, listing: str
) -> None:
    if listing == "wav.scp":
        names = [line.split()[0] for line in (folder / "segments").read_text().splitlines()]
        (folder / "wav.scp").write_text("".join(f"{name} audio/{name}.flac\n" for name in names))
        (folder / "segments").unlink()
    root = str(folder)
    if store == "bucket":
        root = f"{bucket}/{listing}"
        upload(folder, root)
    (piece,) = kaldi_pieces(root)
    whole = read_pieces([piece])
    assert len(whole.utterances) == (RECORDINGS - (listing == "segments")) * SEGMENTS - 1
    assert whole.utterances[0].audio.startswith(f"{root}/audio/rec-00")
    assert whole.counts["texts without audio"] == 3
    for step in (100, 700, 1501):
        monkeypatch.setattr(cutting, "STEP_BYTES", step)
        pieces = kaldi_pieces(root)
        assert len(pieces) > piece.end // step - 2
        assert (pieces[0].begin, pieces[-1].end) == (piece.begin, piece.end)
        found = read_pieces(pieces)
        assert in_ways(found) == in_ways(whole)


def test_pieces_are_small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "STEP_BYTES", 1000)
    sizes = [len(read_kaldi(piece).utterances) for piece in kaldi_pieces(str(folder))]
    assert max(sizes) < 2 * RECORDINGS * SEGMENTS / len(sizes)


def test_recordings_need_not_have_the_order_of_their_utterances(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("segments", "text", "utt2spk"):
        lines = (folder / name).read_text().splitlines()
        renamed = (f"{'xm'[int(line[5]) % 2]}{line}\n" for line in lines if line.startswith("rec"))
        (folder / name).write_text("".join(sorted(renamed)))
    whole = read_pieces(kaldi_pieces(str(folder)))
    monkeypatch.setattr(cutting, "STEP_BYTES", 1000)
    assert in_ways(read_pieces(kaldi_pieces(str(folder)))) == in_ways(whole)
    scp = (folder / "wav.scp").read_text().splitlines(keepends=True)
    (folder / "wav.scp").write_text("".join(reversed(scp)))
    assert in_ways(read_pieces(kaldi_pieces(str(folder)))) == in_ways(whole)


@pytest.mark.parametrize("table", ["segments", "text", "utt2spk"])
def test_a_large_directory_must_be_sorted(folder: Path, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    whole = read_pieces(kaldi_pieces(str(folder)))
    lines = (folder / table).read_text().splitlines(keepends=True)
    (folder / table).write_text("".join([*lines[50:], *lines[:50]]))
    assert len(read_pieces(kaldi_pieces(str(folder))).utterances) == len(whole.utterances)
    monkeypatch.setattr(cutting, "STEP_BYTES", 1000)
    with pytest.raises(ValueError, match=rf"data/{table} is not sorted by its ids .* utils/fix_data_dir\.sh"):
        read_pieces(kaldi_pieces(str(folder)))


def test_gzipped_tables_are_read_as_a_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_pieces(kaldi_pieces(str(folder)))
    (folder / "text").write_bytes(gzip.compress((folder / "text").read_bytes()))
    monkeypatch.setattr(cutting, "STEP_BYTES", 1000)
    pieces = kaldi_pieces(str(folder))
    assert len(pieces) == 1
    assert read_pieces(pieces).utterances == whole.utterances
    monkeypatch.setattr(cutting, "MOST_PACKED_BYTES", 5000)
    with pytest.raises(ValueError, match=r"text is gzipped, and the tables of .*data have 0 MB, .*; unpack it"):
        kaldi_pieces(str(folder))
    monkeypatch.setattr("ssl_asr.corpus.pieces.MOST_PACKED_BYTES", 10)
    with pytest.raises(ValueError, match=r"text is one gzip file of .* unpack it"):
        kaldi_pieces(str(folder))


def test_a_bucket_is_heard_as_a_disk_is(tmp_path: Path, bucket: str, clips: list[Clip]) -> None:
    for part, some in (("a", clips[:3]), ("b", clips[3:])):
        folder = write_kaldi(tmp_path / part, some)
        for name in ("segments", "text", "utt2spk"):
            (folder / name).write_text((folder / name).read_text().replace("call-", f"{part}-"))
        upload(folder, f"{bucket}/kaldi/{part}")
    same_speech(read_listed("kaldi", f"{bucket}/kaldi/a"), clips[:3])
    same_speech(read_listed("kaldi", f"{bucket}/kaldi/*"), clips)
    same_speech(read_listed("kaldi", f"file://{tmp_path}/{{a,b}}"), clips)
    with pytest.raises(ValueError, match=r"there is no .*/kaldi/c; fix the path"):
        pieces_at("kaldi", f"{bucket}/kaldi/c")


def test_what_wav_scp_names_in_a_bucket(bucket: str) -> None:
    root = f"{bucket}/names"
    named = {
        "a": "./a.wav",
        "b": "../b.wav",
        "c": "/disk/c.wav",
        "d": "s3://other/d.wav",
        "e": "flac -c -d -s e.flac |",
        "f": "wav.ark:7",
    }
    filesystem.write_bytes(f"{root}/wav.scp", "".join(f"{key} {value}\n" for key, value in named.items()).encode())
    found = read_pieces(kaldi_pieces(root)).utterances
    assert {each.id: each.audio for each in found} == {
        "a": f"{root}/a.wav",
        "b": f"{bucket}/b.wav",
        "c": "/disk/c.wav",
        "d": "s3://other/d.wav",
        "e": f"{root}/e.flac",
        "f": f"{root}/wav.ark:7",
    }
    assert {each.duration for each in found} == {math.inf}


def test_a_directory_in_one_piece_is_the_piece_that_it_was(folder: Path) -> None:
    (piece,) = kaldi_pieces(str(folder))
    sizes = [(folder / name).stat().st_size for name in ("wav.scp", "segments", "text", "utt2spk")]
    assert piece == Piece(str(folder), 0, sum(sizes), "4f1d1ad16c16fc64")
