from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from ssl_asr.corpus.sources import fingerprint, read_sources
from ssl_asr.recipe import Recipe, load_recipe
from tests.corpus.conftest import Clip


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


def test_only_unlabeled_speech_needs_no_transcripts(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe: Recipe = load_recipe("demo", [f"corpus.{split}=librispeech:{tree}" for split in ("labeled", "unlabeled")])
    found = read_sources(recipe, ["labeled", "unlabeled"]).splits
    assert [each.text for each in found["labeled"].utterances] == ["yes"]
    assert [each.text for each in found["unlabeled"].utterances] == ["yes", None]
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert warnings == [f"warning: corpus.labeled=librispeech:{tree}: 1 audio files without a line in a trans.txt"]


def test_a_tree_is_another_with_other_lines_or_files(tree: Path) -> None:
    source, chapter = f"librispeech:{tree}", tree / "1" / "7"
    seen = [fingerprint(source)]
    (chapter / "1-7-0002.flac").touch()
    seen.append(fingerprint(source))
    (chapter / "1-7.trans.txt").write_text("1-7-0000 NO\n")
    seen.append(fingerprint(source))
    (chapter / "notes.txt").touch()
    assert len({*seen}) == 3
    assert fingerprint(source) == seen[-1]
