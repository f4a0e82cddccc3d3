from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ssl_asr.corpus.listed_files import keep_files
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers import trees
from ssl_asr.corpus.readers.librispeech import read_librispeech
from ssl_asr.corpus.readers.librispeech_tree import librispeech_pieces
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.registry import read_listed
from ssl_asr.corpus.readers.trees import files_of
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.utterance import SPLITS
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import librispeech
from tests.corpus.readers.conftest import upload
from tests.corpus.readers.same import same_speech
from tests.s3_server import S3Server

AUDIO = (
    *("100/7/100-7-0000.flac", "100/7/100-7-0001.wav", "100/7/100-7-0001.flac", "100/7/100-7-0002.flac"),
    *("100/8/100-8-0000.flac", "101/9/101-9-0000.flac", "101/9/extra.wav"),
    *("102/3/102-3-0000.flac", "102/3/deep/102-3-0001.flac"),
    *("test-clean/61/70970/61-70970-0000.flac", "small/9/emma_mp3/emma_10.flac", "top.flac"),
)
LINES = {
    "100/7/100-7": "100-7-0000 ONE\n100-7-0001 TWO\n100-7-9999 GONE\n",
    "100/8/100-8": "100-8-0000 THREE\n",
    "101/9/101-9": "101-9-0000 FOUR\n100-7-0000 AGAIN\n",
    "102/3/102-3": "102-3-0000 SIX\n",
    "test-clean/61/70970/61-70970": "61-70970-0000 FIVE\n",
}
# What the reader of whole trees found in them: id, speaker, file, text and set.
LISTED = [
    ("100-7-0000", "100", "100/7/100-7-0000.flac", "ONE", None),
    ("100-7-0001", "100", "100/7/100-7-0001.flac", "TWO", None),
    ("100-8-0000", "100", "100/8/100-8-0000.flac", "THREE", None),
    ("101-9-0000", "101", "101/9/101-9-0000.flac", "FOUR", None),
    ("102-3-0000", "102", "102/3/102-3-0000.flac", "SIX", None),
    ("61-70970-0000", "61", "test-clean/61/70970/61-70970-0000.flac", "FIVE", "test-clean"),
]
UNLISTED = [
    ("100-7-0002", "100", "100/7/100-7-0002.flac", None, None),
    ("101/9/extra", "101", "101/9/extra.wav", None, None),
    ("102-3-0001", "102", "102/3/deep/102-3-0001.flac", None, None),
    ("small/9/emma_mp3/emma_10", "9", "small/9/emma_mp3/emma_10.flac", None, None),
    ("top", "above", "top.flac", None, None),
]
WHOLE = ("above/tree", 0, 2530, "884703f15ab5fa4a")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of many forms, with noise in it."""
    root = tmp_path / "above" / "tree"
    random = np.random.default_rng(0)
    for name in AUDIO:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, random.normal(0, 0.1, 16000), 16000)
    for name, lines in LINES.items():
        (root / f"{name}.trans.txt").write_text(lines)
    return root


def described(reading: Reading, root: object) -> list[tuple[str, str, str, str | None, str | None]]:
    return sorted(
        (each.id, each.speaker, each.audio.removeprefix(f"{root}/"), each.text, each.tags.get("set"))
        for each in reading.utterances
    )


def listed_in(recipe: Recipe) -> dict[str, bytes]:
    files = (file for file in Path(recipe.run, "manifest").rglob("*") if file.is_file())
    return {str(file.relative_to(recipe.run)): file.read_bytes() for file in files}


@pytest.mark.parametrize(("files", "count"), [(1, 8), (2, 6), (5, 3), (trees.FILES, 1)])
@pytest.mark.parametrize("store", ["disk", "bucket"])
def test_pieces_list_what_the_whole_tree_did(
    tree: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, files: int, count: int, store: str
) -> None:
    monkeypatch.setattr(trees, "FILES", files)
    root = str(tree)
    if store == "bucket":
        root = f"{bucket}/above/tree"
        upload(tree, root)
    pieces = librispeech_pieces(root)
    assert len(pieces) == count
    assert [piece.begin for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == WHOLE[2]
    with_texts, without = (read_listed("librispeech", root, texts=texts) for texts in (True, False))
    assert described(with_texts, root) == LISTED
    assert described(without, root) == sorted([*LISTED, *UNLISTED], key=lambda row: row[0])
    for reading in (with_texts, without):
        assert sorted(reject.id for reject in reading.rejects) == ["100-7-0000", "100-7-9999"]
    assert with_texts.counts == {"audio files without a line in a trans.txt": 5}
    assert without.counts == {}


def test_a_run_in_pieces_has_the_manifests_of_one_in_one(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (piece,) = librispeech_pieces(str(tree))
    # As it was when a tree was always one piece, so that a run of then goes on.
    assert piece == Piece(str(tree), *WHOLE[1:], files=piece.files)
    recipe = load_recipe(
        "demo",
        [
            f"run={tmp_path}/whole",
            *(f"corpus.{split}=librispeech:{tree}" for split in SPLITS),
            *(f"corpus.{split}_conditions=[clean]" for split in ("train", "dev", "test")),
            "corpus.labeled_copies=0",
            "corpus.max_reject_share=1",
            "corpus.shard_minutes=0.05",
        ],
    )
    run_corpus(recipe)
    monkeypatch.setattr(trees, "FILES", 2)
    in_pieces = recipe.model_copy(update={"run": f"{tmp_path}/pieces"})
    run_corpus(in_pieces)
    assert listed_in(in_pieces) == listed_in(recipe)
    assert len(listed_in(recipe)) > 4


def test_a_bucket_is_heard_as_a_disk_is(
    tmp_path: Path, bucket: str, spoken: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("train-clean-100", "train-other-500", "dev-clean")):
        librispeech(tmp_path / name, spoken[2 * number : 2 * number + 2], chapter=number)
        upload(tmp_path / name, f"{bucket}/libri/{name}")
    monkeypatch.setattr(trees, "FILES", 2)
    same_speech(read_listed("librispeech", f"{bucket}/libri"), spoken)
    same_speech(read_listed("librispeech", f"{bucket}/libri/train-*"), spoken[:4])
    same_speech(read_listed("librispeech", f"{bucket}/libri/{{train-clean-100,dev-clean}}"), spoken[:2] + spoken[4:])
    same_speech(read_listed("librispeech", f"file://{tmp_path}/train-*"), spoken[:4])


def test_a_bucket_is_listed_once_and_its_changes_are_seen(tree: Path, bucket: str, s3: S3Server) -> None:
    upload(tree, f"{bucket}/tree")
    s3.requests.clear()
    (piece,) = librispeech_pieces(f"{bucket}/tree")
    assert len(s3.requests) < 5
    (piece,) = keep_files(f"{bucket}/run", "labeled", [piece])
    assert librispeech_pieces(f"{bucket}/tree") == [piece]
    filesystem.write_bytes(f"{bucket}/tree/100/8/100-8.trans.txt", b"100-8-0000 FOURTH\n")
    (changed,) = librispeech_pieces(f"{bucket}/tree")
    filesystem.write_bytes(f"{bucket}/tree/100/8/100-8-0001.flac", b"")
    (grown,) = librispeech_pieces(f"{bucket}/tree")
    assert len({piece.state, changed.state, grown.state}) == 3


def test_trees_without_lines_are_told_in_pieces_too(tree: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "FILES", 1)
    for name in LINES:
        (tree / f"{name}.trans.txt").unlink()
    upload(tree, f"{bucket}/unlisted/tree")
    for root in (str(tree), f"{bucket}/unlisted/tree"):
        with pytest.raises(ValueError, match=r"tree is not a LibriSpeech tree: there is no \*\.trans\.txt below it"):
            read_listed("librispeech", root)
        filesystem.write_bytes(f"{root}/transcripts.txt", b"9_8_000000\tyes\n")
        with pytest.raises(ValueError, match=rf"{root}/transcripts.txt has .* Multilingual .* use mls:{root}$"):
            read_listed("librispeech", root)
        assert len(read_listed("librispeech", root, texts=False).utterances) == 11
        with pytest.raises(ValueError, match=r"there is no .*/tree/nothing; fix the path"):
            read_listed("librispeech", f"{root}/nothing")


def test_names_that_are_not_utf8_are_rejected(tree: Path) -> None:
    (tree / "101" / "9" / os.fsdecode(b"tr\xe8s.wav")).touch()
    (piece,) = librispeech_pieces(str(tree))
    assert len([*files_of(piece)]) == len(AUDIO) + len(LINES) + 1
    (reject,) = (each for each in read_librispeech(piece).rejects if "UTF-8" in each.reason)
    assert reject.id == r"'101/9/tr\udce8s.wav'"
