"""Archives that kaldiio writes, with a `final.mdl` and a `phones.txt` that Kaldi's own classes wrote.

The model has no acoustic part. Its silences have Kaldi's five states, of which three follow each other in any order;
other phones have three. Phones have positions in the word, and vowels a stress.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from ssl_asr.hmm.kaldi_alignments import read_archive, read_kaldi_alignments
from ssl_asr.hmm.kaldi_model import read_transitions
from ssl_asr.hmm.phone_times import Unusable
from ssl_asr.lang.phones import ENGLISH
from tests.hmm.outside import FILES, copy_model, path_of, write_archive


def test_the_ids_of_a_real_model():
    """By phone, state and transition, in this order, as in Kaldi's transition-model.h."""
    found = read_transitions(FILES / "final.mdl")
    expected = []
    for phone in range(1, 167):
        ways = [4, 4, 4, 4, 2] if phone <= 10 else [2, 2, 2]
        expected += [(phone, state) for state, count in enumerate(ways) for _ in range(count)]
    assert list(zip(found.phones[1:].tolist(), found.states[1:].tolist(), strict=True)) == expected


def test_a_model_that_breaks_off_is_refused(tmp_path: Path):
    whole = (FILES / "final.mdl").read_bytes()
    file = tmp_path / "final.mdl"
    end = whole.index(b"</Triples>") + len(b"</Triples>")
    for cut in (*range(0, 200, 11), *range(200, end, 1501), end - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"final\.mdl is not a (whole|binary) model of Kaldi"):
            read_transitions(file)


def test_a_chain_model_is_refused_in_a_sentence(tmp_path: Path):
    whole, file = (FILES / "final.mdl").read_bytes(), tmp_path / "final.mdl"
    # Kaldi writes -1 before the number of entries of such a topology, and <Tuples> for <Triples>.
    phones = 1 + 4 + 4 * 166
    place = whole.index(b"<Topology> ") + len(b"<Topology> ") + phones + 1 + 4 + 4 * 167
    assert whole[place : place + 5] == b"\x04" + (2).to_bytes(4, "little")
    tuples = whole.replace(b"<Triples>", b"<Tuples>").replace(b"</Triples>", b"</Tuples>")
    for chain in (tuples, whole[:place] + b"\x04\xff\xff\xff\xff" + whole[place:]):
        file.write_bytes(chain)
        with pytest.raises(
            ValueError, match=r"final\.mdl is a chain model, whose alignments have a frame every 30 ms"
        ):
            read_transitions(file)


VECTORS = {"utt-10001": np.arange(3, dtype=np.int32), "utt-10002": np.array([7, 70000], np.int32)}


def archive(vectors: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    kaldiio.save_ark(content, vectors)
    return content.getvalue()


def test_what_kaldiio_writes_is_read(tmp_path: Path):
    vectors = {**VECTORS, "empty": np.zeros(0, np.int32)}
    (tmp_path / "ali.1.gz").write_bytes(gzip.compress(archive(vectors)))
    found = dict(read_archive(tmp_path / "ali.1.gz"))
    assert found.keys() == vectors.keys()
    for name, vector in vectors.items():
        np.testing.assert_array_equal(found[name], vector)


def test_an_archive_is_refused_wherever_it_breaks_off(tmp_path: Path):
    file, content = tmp_path / "ali.1.gz", archive(VECTORS)
    first = len(archive({"utt-10001": VECTORS["utt-10001"]}))
    for cut in {*range(1, len(content))} - {first}:
        file.write_bytes(gzip.compress(content[:cut]))
        with pytest.raises(ValueError, match=r"ali\.1\.gz is not a whole archive of alignments"):
            list(read_archive(file))
    compressed = gzip.compress(content)
    for cut in range(1, len(compressed), 5):
        file.write_bytes(compressed[:cut])
        with pytest.raises(ValueError, match=r"ali\.1\.gz is not a whole gzip file"):
            list(read_archive(file))


@pytest.mark.parametrize(
    "content", [b"utt PKLcos\ngetcwd\n(tR.", b"utt 1 2 3\n", archive({"u": np.ones(3, np.float32)})]
)
def test_anything_but_binary_vectors_of_numbers_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "ali.1.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match="is not a whole archive of alignments in Kaldi's binary form"):
        list(read_archive(tmp_path / "ali.1.gz"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_model(tmp_path)
    write_archive(tmp_path / "ali.1.gz", {"a": path_of([("SIL", 7), ("S", 3), ("S", 4), ("IY", 1), ("SIL", 5)])})
    return tmp_path


def test_phones_and_their_ends(folder: Path):
    ((name, times),) = read_kaldi_alignments(folder, ENGLISH)
    assert name == "a"
    assert [ENGLISH.names[phone] for phone in times.phones] == ["SIL", "S", "S", "IY", "SIL"]
    assert times.ends.tolist() == [7, 10, 14, 15, 20]


def test_a_phone_of_another_set_spoils_its_utterance(folder: Path):
    write_archive(folder / "ali.2.gz", {"b": path_of([("SIL", 7), ("S", 3)]), "c": path_of([("SPN", 9)])})
    text = (folder / "phones.txt").read_text()
    (folder / "phones.txt").write_text(text.replace("IY1_", "ɨ_"))
    found = dict(read_kaldi_alignments(folder, ENGLISH))
    assert (found["a"].kind, found["c"].kind) == ("unreadable", "unknown_words")
    assert "has the phone 'ɨ_S', which is neither silence" in found["a"].reason
    assert found["b"].ends.tolist() == [7, 10]
    (folder / "phones.txt").write_text("SIL 1\n")
    assert "has the phone 'number " in dict(read_kaldi_alignments(folder, ENGLISH))["a"].reason
    (folder / "phones.txt").write_text("SIL\n")
    with pytest.raises(ValueError, match=r"phones\.txt is not a list of phones and their numbers"):
        list(read_kaldi_alignments(folder, ENGLISH))


def test_ids_of_another_model_spoil_their_utterance(folder: Path):
    write_archive(folder / "ali.2.gz", {"b": np.array([1, 5000], np.int32), "c": np.array([0, 1], np.int32)})
    found = dict(read_kaldi_alignments(folder, ENGLISH))
    assert found["a"].num_frames == 20
    for name in ("b", "c"):
        assert found[name] == Unusable(
            "unreadable",
            "its imported alignment has transition ids that final.mdl lacks; give the final.mdl that made it",
        )


def test_a_name_that_is_not_utf_8_is_refused_with_the_file(tmp_path: Path):
    content = archive(VECTORS)
    (tmp_path / "ali.1.gz").write_bytes(gzip.compress(content.replace(b"utt-10002", b"utt-\xe9\xe90002")))
    with pytest.raises(ValueError, match=r"ali\.1\.gz has an utterance whose name is not UTF-8 \(at byte 32 of"):
        list(read_archive(tmp_path / "ali.1.gz"))


def test_a_job_s_file_that_is_missing_is_missed(folder: Path):
    (folder / "num_jobs").write_text("2\n")
    with pytest.raises(ValueError, match=r"has 1 files ali\.\*\.gz where there should be 2"):
        list(read_kaldi_alignments(folder, ENGLISH))
