"""The alignments of a run, written as Kaldi and others write theirs, come back through the hmm stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssl_asr.hmm.chunks import load_chunk, readable_chunk
from ssl_asr.hmm.import_stage import ensure_imported, imported_inputs
from ssl_asr.hmm.imported import KEY, ImportIndex, read_imported
from ssl_asr.hmm.senones import load_senones
from ssl_asr.hmm.stage import run_hmm
from ssl_asr.hmm.training import Trained, chunk_sources, early_sources, usable_frames
from ssl_asr.hmm.triphones import triphone_codes
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.runtime.pipeline import todo_of
from ssl_asr.store import alignments, features
from ssl_asr.store.hmm_layout import imported_folder, imported_uri, unused_imports_uri
from ssl_asr.store.ledger import Shard
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
    begins = np.flatnonzero(
        np.diff(triphone_codes(path, len(ENGLISH)), prepend=-1) | (np.diff(path % 3, prepend=3) < 0)
    )
    lengths = np.diff(begins, append=len(path)).tolist()
    return [(ENGLISH.names[phone], length) for phone, length in zip(path[begins] // 3, lengths, strict=True)]


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


def ensure(recipe: Recipe) -> ImportIndex:
    found = ensure_imported(recipe, imported_inputs(recipe)[KEY])
    assert found is not None
    return found


def imported_codes(recipe: Recipe, paths: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    index = ensure(recipe)
    found = [read_imported(recipe.run, number, index.inputs[KEY]) for number in index.frames]
    codes = {name: triphone_codes(times.states(), len(ENGLISH)) for each in found for name, times in each.items()}
    assert {name: len(each) for name, each in codes.items()} == {name: len(path) for name, path in paths.items()}
    assert index.total_frames == sum(map(len, paths.values()))
    return codes


def unused(recipe: Recipe) -> dict[str, tuple[str, str]]:
    lines = map(json.loads, Path(unused_imports_uri(recipe.run)).read_text().splitlines())
    return {each["id"]: (each["kind"], each["reason"]) for each in lines}


@pytest.mark.parametrize("write", [write_kaldi, write_ctm])
def test_the_triphone_of_every_frame_comes_back(own, paths, tmp_path, write):
    found = imported_codes(importing(own, write(tmp_path / "outside", paths)), paths)
    assert len(found) > 50
    for name, path in paths.items():
        np.testing.assert_array_equal(found[name], triphone_codes(path, len(ENGLISH)))


def test_without_silences_in_the_file_gaps_are_silence(own, paths, tmp_path):
    found = imported_codes(importing(own, write_ctm(tmp_path / "outside", paths, silences=False)), paths)
    wrong = sum(int((found[name] != triphone_codes(path, len(ENGLISH))).sum()) for name, path in paths.items())
    assert wrong < 0.02 * sum(map(len, paths.values()))  # a silence of two frames is taken for rounding


def test_frames_that_kaldi_leaves_out_at_the_edges_move_no_phone(own, paths, tmp_path):
    cut = {name: path[1:-1] for name, path in paths.items()}
    found = imported_codes(importing(own, write_kaldi(tmp_path / "outside", cut)), paths)
    for name, path in paths.items():
        np.testing.assert_array_equal(found[name][1:-1] // len(ENGLISH) % len(ENGLISH), path[1:-1] // 3)


def test_the_stage_takes_what_is_imported_and_aligns_the_rest(own, paths, tmp_path, capsys):
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
        np.testing.assert_array_equal(
            stored[name], senones.table.reshape(-1)[triphone_codes(known[name], len(ENGLISH))]
        )
    others = [long, *(name for name in paths if name not in known)]
    assert all(len(stored[name]) == len(paths[name]) for name in others)
    alike = sum(int(((stored[name] == 0) == (paths[name] < 3)).sum()) for name in others)
    assert alike > 0.9 * sum(len(paths[name]) for name in others)
    figures = [report.figures[name] for name in ("imported", "not_imported", "unused_other_length")]
    assert figures == [len(known) - 1, len(others), 1]
    ((name, (kind, reason)),) = unused(recipe).items()
    assert (name, kind) == (long, "other_length")
    assert f"has {len(paths[long]) - 30} frames of 10 ms, but its audio {len(paths[long])}" in reason
    assert "warning: 1 imported alignments are not used; " in capsys.readouterr().err
    assert todo_of("hmm", recipe) == []
    # The run goes on without the source, which it keeps under its name; a changed one counts.
    shutil.move(tmp_path / "outside", tmp_path / "elsewhere")
    assert todo_of("hmm", recipe) == []
    assert run_hmm(recipe).skipped == report.pieces
    other = importing(own, "kaldi:elsewhere")
    assert todo_of("hmm", other)
    with pytest.raises(ValueError, match=r"there is no elsewhere.*; fix the path"):
        run_hmm(other)
    moved = importing(own, f"kaldi:{tmp_path}/elsewhere")
    assert todo_of("hmm", moved) == []
    (tmp_path / "elsewhere" / "phones.txt").write_text("SIL 1\n")
    assert todo_of("hmm", moved)


def test_what_is_not_said_in_the_text_is_not_imported(own, paths, tmp_path):
    """One utterance has another phone, one SPN, one lacks the last phone, and one has lines that overlap."""
    first, second, third, fourth, *_ = sorted(paths, key=lambda name: -len(paths[name]))
    said = {name: list(spoken(path)) for name, path in paths.items()}
    place = next(at for at, (phone, _) in enumerate(said[first]) if phone != "SIL")
    said[first][place] = ("ZH" if said[first][place][0] != "ZH" else "S", said[first][place][1])
    place = next(at for at, (phone, _) in enumerate(said[second]) if phone != "SIL")
    said[second][place] = ("SPN", said[second][place][1])
    last = max(at for at, (phone, _) in enumerate(said[third]) if phone != "SIL")
    said[third][last] = ("SIL", said[third][last][1])
    lines = [line for name, each in said.items() for line in ctm_lines(name, each)]
    (tmp_path / "phones.ctm").write_text("\n".join([*lines, f"{fourth} 1 0.0 0.5 S", "elsewhere 1 0 0.1 S"]) + "\n")
    recipe = importing(own, f"ctm:{tmp_path}/phones.ctm")
    index = ensure(recipe)
    assert index.unused == {"other_phones": 2, "unknown_words": 1, "unreadable": 1}
    found = unused(recipe)
    assert {name: kind for name, (kind, _) in found.items()} == {
        first: "other_phones",
        second: "unknown_words",
        third: "other_phones",
        fourth: "unreadable",
    }
    kept = [name for number in index.frames for name in read_imported(recipe.run, number, index.inputs[KEY])]
    assert set(kept) == paths.keys() - found.keys()


def test_a_few_imported_utterances_are_all_trained_on(own, paths, tmp_path, monkeypatch):
    """However sparsely a large corpus is sampled: only slabs that hold some count."""
    sources = sources_of(own)
    last = {one.id: paths[one.id] for one in load_chunk(sources[-1])}
    recipe = importing(own, write_ctm(tmp_path / "outside", last))
    monkeypatch.setattr("ssl_asr.hmm.import_stage.LEAST_FRAMES", 100)
    monkeypatch.setattr("ssl_asr.hmm.training.MOST_FRAMES", sum(map(len, last.values())))
    monkeypatch.setattr("ssl_asr.hmm.training.LEAST_EARLY_FRAMES", 1)
    index = ensure(recipe)
    labeled = ShardStore(own.run, features.STORE).entries("labeled")
    assert usable_frames(labeled, index) == sum(map(len, last.values()))
    (chosen,) = chunk_sources(recipe, labeled, sources[0].lexicon, index)
    assert (chosen.shard, chosen.slab) == (sources[-1].shard, sources[-1].slab)
    assert early_sources([chosen], usable_frames(labeled, index)) == [chosen]
    assert {one.id for one in readable_chunk(chosen) if one.known is not None} == last.keys()


def test_an_import_that_has_changed_meanwhile_is_told(own, paths, tmp_path):
    index = ensure(importing(own, write_ctm(tmp_path / "outside", paths)))
    labeled = ShardStore(own.run, features.STORE).entries("labeled")
    source, *_ = chunk_sources(own, labeled, sources_of(own)[0].lexicon, index)
    assert len(readable_chunk(source)) > 1
    ensure(importing(own, write_ctm(tmp_path / "other", dict(list(paths.items())[1:]))))
    read_imported.cache_clear()
    with pytest.raises(ValueError, match=r"imported/000000\.npz has changed; run the hmm stage again"):
        readable_chunk(replace(source, lexicon="another"))


def test_a_lost_file_is_imported_again(own, paths, tmp_path):
    recipe = importing(own, write_ctm(tmp_path / "outside", paths))
    ensure(recipe)
    before = {path.name: path.read_bytes() for path in Path(imported_folder(own.run)).iterdir()}
    Path(imported_uri(own.run, 0)).unlink()
    ensure(recipe)
    assert {path.name: path.read_bytes() for path in Path(imported_folder(own.run)).iterdir()} == before


def test_a_shard_that_was_damaged_is_imported_once_it_is_whole(own, paths, tmp_path):
    recipe = importing(own, write_ctm(tmp_path / "outside", paths))
    file = Path(ShardStore(own.run, features.STORE).uri(Shard("labeled", 0)))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert 0 not in ensure(recipe).frames
    file.write_bytes(whole)
    assert ensure(recipe).total_frames == sum(map(len, paths.values()))


def test_alignments_of_other_speech_are_refused(own, paths, tmp_path):
    name, path = next(iter(paths.items()))
    with pytest.raises(ValueError, match=r"is of other utterances, such as strange, than the labeled ones, such as "):
        ensure(importing(own, write_ctm(tmp_path / "strange", {"strange": path})))
    first = rf"fits no labeled utterance; the first of 1 alignments that do not fit is of {name}: the phones of its"
    with pytest.raises(ValueError, match=first):
        ensure(importing(own, write_ctm(tmp_path / "short", {name: path[:20]})))
    with pytest.raises(
        ValueError, match=r"fits \d\.\d s of the labeled speech, too little to make a model of, which"
    ):
        ensure(importing(own, write_ctm(tmp_path / "few", {name: path})))
    assert not Path(imported_folder(own.run)).exists()


def test_a_directory_that_lacks_a_file_is_named(own, paths, tmp_path):
    source = write_kaldi(tmp_path / "outside", paths)
    (tmp_path / "outside" / "final.mdl").unlink()
    with pytest.raises(ValueError, match=r"hmm\.alignments=kaldi:.*: there is no .*/final\.mdl; copy it there"):
        run_hmm(importing(own, source))
    with pytest.raises(ValueError, match=r"recipe value hmm\.alignments='foo'"):
        load_recipe("demo", ["hmm.alignments=foo"])
