from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.corpus.audio import read_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.libri_light import LONGEST_PAUSE, joined_spans, libri_light_pieces, read_libri_light
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.recipe import Corpus
from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import libri_light
from tests.corpus.readers.conftest import upload


def read(path: object, longest: float = 30.0) -> Reading:
    (piece,) = libri_light_pieces(str(path))
    return read_libri_light(piece, longest=longest)


@pytest.fixture
def tree(tmp_path: Path, spoken: list[Clip]) -> Path:
    return libri_light(tmp_path / "unlabeled", spoken)


def json_of(tree: Path) -> Path:
    return min(tree.rglob("*.json"))


def test_spans_of_voice_are_utterances(tree: Path, spoken: list[Clip]) -> None:
    reading = read(tree, longest=4.0)
    assert (reading.rejects, reading.counts) == ((), {})
    assert len(reading.utterances) == len(spoken)
    assert {each.speaker for each in reading.utterances} == {clip.speaker for clip in spoken}
    first, second = reading.utterances[:2]
    assert first.id == "100/book_100_librivox_64kb_mp3/01_book_100_64kb-0000500"
    assert first.offset == 0.5
    assert second.offset == pytest.approx(1.0 + first.duration)
    for utterance, clip in zip(reading.utterances, spoken, strict=True):
        samples = read_audio(utterance.audio, utterance.offset, utterance.duration, 0, 16000)
        assert samples == pytest.approx(clip.samples[: len(samples)], abs=1e-4)
        assert len(clip.samples) - len(samples) < 0.08 * 16000
    assert checked(reading, "unlabeled", Corpus()).rejects == ()
    assert checked(reading, "unlabeled", Corpus(), trusted=True).files == frozenset()


def test_neighbours_are_one_utterance(tree: Path, spoken: list[Clip]) -> None:
    reading = read(tree)
    assert len(reading.utterances) == 3
    assert {each.offset for each in reading.utterances} == {0.5}
    assert [each.id for each in read(tree / "small").utterances] == [each.id for each in reading.utterances]


def test_a_bucket_has_the_same(tree: Path, bucket: str) -> None:
    upload(tree, f"{bucket}/unlabeled")
    stored = read(f"{bucket}/unlabeled").utterances
    assert [(each.id, each.offset, each.duration) for each in stored] == [
        (each.id, each.offset, each.duration) for each in read(tree).utterances
    ]


def test_recordings_without_voice_activity(tree: Path) -> None:
    file = json_of(tree)
    told = json.loads(file.read_text())
    name, others = "100/book_100_librivox_64kb_mp3/01_book_100_64kb", 2
    for known, speaker in (({"speaker": "7"}, "7"), ({**told, "voice_activity": None}, "100"), ({}, "100")):
        file.write_text(json.dumps(known))
        (whole,) = [each for each in read(tree).utterances if each.id == name]
        assert (whole.speaker, whole.offset, whole.duration) == (speaker, 0.0, math.inf)
    file.unlink()
    (whole,) = [each for each in read(tree).utterances if each.id == name]
    assert whole.speaker == "100"
    file.write_text(json.dumps({**told, "voice_activity": []}))
    reading = read(tree)
    assert len(reading.utterances) == others
    assert reading.counts == {"recordings without any voice activity": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is a JSON list"),
        ('{"speaker": 1.5}', "its speaker is 1.5"),
        ('{"voice_activity": 3}', "its voice_activity has 3 after 0 s"),
        ('{"voice_activity": [[1, 2], [1.5, 3]]}', r"its voice_activity has \[1.5, 3\] after 2 s"),
        ('{"voice_activity": [[2, 1]]}', "its voice_activity has"),
        ('{"voice_activity": [[1, NaN]]}', "its voice_activity has"),
        ('{"voice_activity": [[1, 2, 3]]}', "its voice_activity has"),
        ('{"voice_activity": [["a", "b"]]}', "its voice_activity has"),
        ('{"voice_activity": ["12"]}', "its voice_activity has '12' after 0 s"),
        ('{"voice_activity": [[0, 1' + 400 * "0" + "]]}", r"its voice_activity has \[0, 1000"),
        ("\xff", "codec can't decode"),
    ],
)
def test_other_json_files_are_told(tree: Path, text: str, said: str) -> None:
    file = json_of(tree)
    file.write_bytes(text.encode("latin-1"))
    reading = read(tree)
    assert len(reading.utterances) == 2
    (reject,) = reading.rejects
    assert reject.reason.startswith(f"{file} is not a JSON file of Libri-Light (")
    with pytest.raises(ValueError, match=said):
        _raise(reject.reason)


def _raise(reason: str) -> None:
    raise ValueError(reason)


def test_changed_json_files_are_seen_and_may_have_a_byte_order_mark(tree: Path) -> None:
    file = json_of(tree)
    before, whole = libri_light_pieces(str(tree)), read(tree)
    told = json.loads(file.read_text())
    file.write_text("\ufeff" + json.dumps(told), encoding="utf-8")
    assert read(tree) == whole
    assert libri_light_pieces(str(tree)) != before


def test_json_files_that_no_listing_has_are_looked_for_and_faults_are_told(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(read(tree / "small" / "*" / "*" / "*.flac").utterances) == 3
    assert {each.offset for each in read(tree / "small" / "*" / "*" / "*.flac").utterances} == {0.5}

    def denied(uri: str) -> bytes:
        raise ValueError(f"{uri} cannot be reached (ACCESS_DENIED); set AWS_ACCESS_KEY_ID")

    monkeypatch.setattr(filesystem, "read_bytes", denied)
    reading = read(tree)
    assert reading.utterances == ()
    assert {reject.reason.partition("cannot be reached ")[2] for reject in reading.rejects} == {
        "(ACCESS_DENIED); set AWS_ACCESS_KEY_ID"
    }


steps = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 3000)), max_size=40)


@given(steps, st.integers(100, 3000))
def test_joined_spans_keep_all_voice_and_their_limits(gaps_and_lengths: list[tuple[int, int]], longest: int) -> None:
    """In hundredths of a second, which add up exactly."""
    spans, at = [], 0
    for gap, length in gaps_and_lengths:
        spans.append((at + gap, at + gap + length))
        at += gap + length
    pause = round(100 * LONGEST_PAUSE)
    found = [*joined_spans(spans, longest, pause)]
    inside = [[span for span in spans if begin <= span[0] and span[1] <= end] for begin, end in found]
    assert [span for some in inside for span in some] == spans
    for (begin, end), some in zip(found, inside, strict=True):
        assert (begin, end) == (some[0][0], some[-1][1])
        assert len(some) == 1 or end - begin <= longest
        assert all(after[0] - before[1] <= pause for before, after in itertools.pairwise(some))
    # As many as fit: none could take the first of the next.
    for (begin, _), (before, after) in zip(found, itertools.pairwise(inside), strict=False):
        assert after[0][1] - begin > longest or after[0][0] - before[-1][1] > pause
