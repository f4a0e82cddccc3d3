"""The alignments of a run, written as Kaldi and others write theirs, come back through the hmm stage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.chunks import load_chunk
from ssl_asr.hmm.import_stage import ensure_imported, imported_inputs
from ssl_asr.hmm.imported import KEY, read_imported
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.hmm.training import Trained
from ssl_asr.hmm.triphones import triphone_codes
from ssl_asr.lang.phones import PHONES
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.pipeline import todo_of
from ssl_asr.store import alignments
from ssl_asr.store.layout import imported_uri
from ssl_asr.store.shards import ShardStore
from tests.hmm.conftest import sources_of
from tests.hmm.outside import Spoken, copy_model, ctm_lines, path_of, write_archive
from tests.in_process import placed_here

LEFT_OUT = 5  # every fifth utterance


@pytest.fixture(scope="module")
def paths(aligned_run: Recipe, trained: Trained) -> dict[str, np.ndarray]:
    """States of the frames of all clean labeled utterances, by the run's own model."""
    return {
        one.id: trained.model.align(one).labels for source in sources_of(aligned_run) for one in load_chunk(source)
    }


def spoken(path: np.ndarray) -> Spoken:
    begins = np.flatnonzero(np.diff(triphone_codes(path), prepend=-1) | (np.diff(path % 3, prepend=3) < 0))
    lengths = np.diff(begins, append=len(path)).tolist()
    return [(PHONES[phone], length) for phone, length in zip(path[begins] // 3, lengths, strict=True)]


def write_kaldi(folder: Path, paths: dict[str, np.ndarray]) -> str:
    """In two archives; the source as a recipe names it."""
    copy_model(folder)
    (folder / "num_jobs").write_text("2\n")
    vectors = {name: path_of(spoken(path)) for name, path in paths.items()}
    for job in (1, 2):
        write_archive(folder / f"ali.{job}.gz", dict(list(vectors.items())[job - 1 :: 2]))
    return f"kaldi:{folder}"


def write_ctm(folder: Path, paths: dict[str, np.ndarray], *, silences: bool = True) -> str:
    folder.mkdir(exist_ok=True)
    lines = [line for name, path in paths.items() for line in ctm_lines(name, spoken(path), silences=silences)]
    (folder / "phones.ctm").write_text("\n".join(lines) + "\n")
    return f"ctm:{folder}/phones.ctm"


@pytest.fixture
def own(aligned_run: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    """A copy of the run, whose stages run in this process."""
    shutil.copytree(aligned_run.run, tmp_path / "run")
    with placed_here():
        yield aligned_run.model_copy(update={"run": str(tmp_path / "run")})


def importing(recipe: Recipe, source: str) -> Recipe:
    return recipe.model_copy(update={"hmm": recipe.hmm.model_copy(update={"alignments": source})})


def imported_codes(recipe: Recipe, paths: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ensure_imported(recipe)
    found = read_imported(recipe.run, imported_inputs(recipe)[KEY])
    return {name: triphone_codes(found.get(name).states(len(path))) for name, path in paths.items()}


@pytest.mark.parametrize("write", [write_kaldi, write_ctm])
def test_the_triphone_of_every_frame_comes_back(own, paths, tmp_path, write):
    found = imported_codes(importing(own, write(tmp_path / "outside", paths)), paths)
    assert len(found) > 50
    for name, path in paths.items():
        np.testing.assert_array_equal(found[name], triphone_codes(path))


def test_without_silences_in_the_file_gaps_are_silence(own, paths, tmp_path):
    found = imported_codes(importing(own, write_ctm(tmp_path / "outside", paths, silences=False)), paths)
    wrong = sum(int((found[name] != triphone_codes(path)).sum()) for name, path in paths.items())
    assert wrong < 0.02 * sum(map(len, paths.values()))  # a silence of two frames is taken for rounding


def test_frames_that_kaldi_leaves_out_at_the_edges_move_no_phone(own, paths, tmp_path):
    cut = {name: path[1:-1] for name, path in paths.items()}
    found = imported_codes(importing(own, write_kaldi(tmp_path / "outside", cut)), paths)
    for name, path in paths.items():
        np.testing.assert_array_equal(found[name][1:-1] // len(PHONES) % len(PHONES), path[1:-1] // 3)


def test_the_stage_takes_what_is_imported_and_aligns_the_rest(own, paths, tmp_path):
    known = {name: path for place, (name, path) in enumerate(sorted(paths.items())) if place % LEFT_OUT}
    long, *_ = sorted(known, key=lambda name: -len(known[name]))
    source = write_kaldi(tmp_path / "outside", {**known, long: known[long][:-30]})
    recipe = importing(own, source)
    assert next((todo.product, todo.because) for todo in todo_of("hmm", recipe)) == ("flat start", (KEY,))
    report = run_hmm(recipe)
    senones = load_senones(own.run)
    store = ShardStore(own.run, alignments.store_name(senones.id))
    stored = {
        name: row for shard in store.shards("labeled") for name, row in alignments.decode(store.read(shard)).items()
    }
    for name in known.keys() - {long}:
        np.testing.assert_array_equal(stored[name], senones.table.reshape(-1)[triphone_codes(known[name])])
    others = [name for name in paths if name not in known]
    assert all(len(stored[name]) == len(paths[name]) for name in others)
    alike = sum(int(((stored[name] == 0) == (paths[name] < 3)).sum()) for name in others)
    assert alike > 0.9 * sum(len(paths[name]) for name in others)
    assert (report.figures["imported"], report.figures["not_imported"]) == (len(known) - 1, len(others))
    (reason,) = {reject.reason for entry in store.entries("labeled") for reject in entry.rejects if reject.id == long}
    assert (
        f"its imported alignment has {len(paths[long]) - 30} frames of 10 ms, but its audio {len(paths[long])}"
        in reason
    )
    assert todo_of("hmm", recipe) == []
    # The run goes on without the source, which it keeps under its name; a changed one counts.
    shutil.move(tmp_path / "outside", tmp_path / "elsewhere")
    assert todo_of("hmm", recipe) == []
    other = importing(own, "kaldi:elsewhere")
    assert todo_of("hmm", other)
    with pytest.raises(ValueError, match="there is no elsewhere; fix the path"):
        run_hmm(other)
    moved = importing(own, f"kaldi:{tmp_path}/elsewhere")
    assert todo_of("hmm", moved) == []
    (tmp_path / "elsewhere" / "phones.txt").write_text("SIL 1\n")
    assert todo_of("hmm", moved)


def test_alignments_of_other_speech_are_refused(own, paths, tmp_path):
    name, path = next(iter(paths.items()))
    with pytest.raises(ValueError, match=r"is of other utterances, such as strange, than the labeled ones, such as "):
        ensure_imported(importing(own, write_ctm(tmp_path / "strange", {"strange": path})))
    with pytest.raises(ValueError, match=rf"fits no labeled utterance; the first is {name}: its imported alignment"):
        ensure_imported(importing(own, write_ctm(tmp_path / "short", {name: path[:20]})))
    assert not Path(imported_uri(own.run)).exists()


def test_a_directory_that_lacks_a_file_is_named(own, paths, tmp_path):
    source = write_kaldi(tmp_path / "outside", paths)
    (tmp_path / "outside" / "final.mdl").unlink()
    with pytest.raises(ValueError, match=r"hmm\.alignments=kaldi:.*: there is no .*/final\.mdl; copy it there"):
        run_hmm(importing(own, source))
    with pytest.raises(ValueError, match=r"recipe value hmm\.alignments='foo'"):
        load_recipe("demo", ["hmm.alignments=foo"])
