"""What was rejected is read again by the same command once it is mended, where no list shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ssl_asr.corpus.stage import run_corpus, todo_corpus
from ssl_asr.recipe import Recipe
from tests.corpus.conftest import Clip, write_kaldi
from tests.corpus.public_trees import mls
from tests.corpus.test_split_records import changed

MendIt = Callable[[], object]


def _mls(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    """A file that is missing, and comes back as it was or as the other kind that the corpus has."""
    first = next(mls(folder / "mls" / "train", clips).rglob("*.flac"))
    return changed(recipe, unlabeled=f"mls:{folder}/mls/train"), _away(first)


def _mls_opus(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    first = next(mls(folder / "mls" / "train", clips).rglob("*.flac"))
    away = first.rename(first.with_suffix(".away"))
    return changed(recipe, unlabeled=f"mls:{folder}/mls/train"), lambda: away.rename(first.with_suffix(".opus"))


def _nemo(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    """A relative path that may be below the current directory too."""
    away = (folder / "1.flac").rename(folder / "away")
    return recipe, lambda: away.rename(folder / "current" / "1.flac")


def _nemo_of_known_length(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    """Its audio is not opened."""
    rows = [json.loads(line) for line in (folder / "unlabeled.jsonl").read_text().splitlines()]
    lines = [json.dumps({**row, "duration": 2.0}) + "\n" for row in rows]
    (folder / "unlabeled.jsonl").write_text("".join(lines))
    return _nemo(recipe, folder, clips)


def _kaldi(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    _, wav = _of_kaldi(folder, clips, "other.wav")
    away = wav.rename(folder / "away")
    return changed(recipe, unlabeled=f"kaldi:{folder}/other"), lambda: away.rename(folder / "current" / "other.wav")


def _pipe(recipe: Recipe, folder: Path, clips: list[Clip]) -> tuple[Recipe, MendIt]:
    """A command that failed, and names the file that it lacked."""
    _, wav = _of_kaldi(folder, clips, "cat other.wav | cat |")
    return changed(recipe, unlabeled=f"kaldi:{folder}/other", pipes=True), lambda: wav.rename(
        folder / "current" / "other.wav"
    )


def _of_kaldi(folder: Path, clips: list[Clip], entry: str) -> tuple[Path, Path]:
    """The recording `call` has all utterances but one; that one is a file of its own, which `entry` names."""
    kaldi = write_kaldi(folder / "other", clips)
    wav = kaldi / "other.wav"
    wav.write_bytes((kaldi / "call.wav").read_bytes())
    (kaldi / "reco2file_and_channel").unlink()
    (kaldi / "wav.scp").write_text(f"call {kaldi}/call.wav\nother {entry}\n")
    segments = (kaldi / "segments").read_text().replace("call-0 call", "call-0 other")
    (kaldi / "segments").write_text(segments)
    return kaldi, wav


def _away(file: Path) -> MendIt:
    away = file.rename(file.with_suffix(".away"))
    return lambda: away.rename(file)


@pytest.mark.parametrize("case", [_mls, _mls_opus, _nemo, _nemo_of_known_length, _kaldi, _pipe])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_it_is_read_again(
    own_recipe: Recipe,
    tmp_path: Path,
    clips: list[Clip],
    monkeypatch: pytest.MonkeyPatch,
    case: Callable[[Recipe, Path, list[Clip]], tuple[Recipe, MendIt]],
    share: float,
) -> None:
    """One of six utterances, which is below the share of rejects that is allowed, or above."""
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    recipe, mend = case(changed(own_recipe, max_reject_share=share), tmp_path, clips)
    is_opened = case is not _nemo_of_known_length
    if is_opened and share < 1 / 6:
        for _ in range(2):
            with pytest.raises(ValueError, match=r"1 of 6 utterances of unlabeled were rejected"):
                run_corpus(recipe)
    else:
        assert run_corpus(recipe).rejected == is_opened
        assert todo_corpus(recipe, []) == []
    mend()
    assert [todo.product for todo in todo_corpus(recipe, [])] == ["manifest/unlabeled", "language text"]
    assert run_corpus(recipe).rejected == 0
    assert todo_corpus(recipe, []) == []


def test_what_nothing_shows_is_looked_at_again_where_the_stage_ends_for_it(
    own_recipe: Recipe, tmp_path: Path, clips: list[Clip]
) -> None:
    """Such as a program that a command lacks."""
    _, wav = _of_kaldi(tmp_path, clips, f"ending=wav && cat {tmp_path}/other/other.$ending |")
    mend = _away(wav)
    recipe = changed(own_recipe, unlabeled=f"kaldi:{tmp_path}/other", pipes=True)
    with pytest.raises(ValueError, match=r"1 of 6 utterances of unlabeled were rejected"):
        run_corpus(recipe)
    allowed = changed(recipe, max_reject_share=0.5)
    assert todo_corpus(allowed, []) == []
    (todo, _) = todo_corpus(recipe, [])
    assert todo.because == ("more rejects than corpus.max_reject_share allows",)
    mend()
    assert todo_corpus(allowed, []) == [], "the command names no file that is there now"
    assert run_corpus(recipe).rejected == 0
