from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.sources import fingerprint, listed
from ssl_asr.recipe import Recipe, load_recipe
from tests.corpus.conftest import Clip, read_split


@pytest.fixture
def tree(tmp_path: Path, clips: list[Clip]) -> Path:
    """A LibriSpeech tree of two utterances, of which one has a line; its only speaker is a link."""
    chapter = tmp_path / "elsewhere" / "7"
    chapter.mkdir(parents=True)
    for number, clip in enumerate(clips[:2]):
        soundfile.write(chapter / f"1-7-000{number}.flac", clip.samples, clip.rate)
    (chapter / "1-7.trans.txt").write_text("1-7-0000 YES\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "1").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "tree"


def test_only_unlabeled_speech_needs_no_transcripts(tree: Path) -> None:
    recipe: Recipe = load_recipe("demo", [f"corpus.{split}=librispeech:{tree}" for split in ("labeled", "unlabeled")])
    found = {split: read_split(recipe, split) for split in ("labeled", "unlabeled")}
    assert [each.text for each in found["labeled"].utterances] == ["yes"]
    assert [each.text for each in found["unlabeled"].utterances] == ["yes", None]
    assert found["labeled"].counts == {"audio files without a line in a trans.txt": 1}
    assert found["unlabeled"].counts == {}


def test_a_tree_is_another_with_other_lines_or_files(tree: Path) -> None:
    chapter = tree / "1" / "7"

    def seen_now() -> str:
        return fingerprint(listed(f"librispeech:{tree}") or [])

    seen = [seen_now()]
    (chapter / "1-7-0002.flac").touch()
    seen.append(seen_now())
    (chapter / "1-7.trans.txt").write_text("1-7-0000 NO\n")
    seen.append(seen_now())
    (chapter / "notes.txt").touch()
    assert len({*seen}) == 3
    assert seen_now() == seen[-1]
