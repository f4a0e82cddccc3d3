"""The evaluate stage, from models to a table: what is decoded, kept, counted and refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ssl_asr.decoding.graph_files import graph_inputs, load_graph, make_graph, read_info
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slab_decoding import decode_slab
from ssl_asr.decoding.slabs import read_result
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.evaluation.table import format_table
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.model_files import POSTERIOR_COUNTS, load_model, save_model
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import features, utterance
from ssl_asr.store.layout import rejects_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from tests.evaluation.decoded import SYSTEMS, slabs_of, tried


def _graph_inputs(recipe: Recipe) -> dict[str, str]:
    return graph_inputs(recipe.run, load_senones(recipe.run).id, language_inputs(recipe))


def test_from_models_to_a_table(evaluated):
    recipe, report = evaluated
    results = read_results(recipe.run)

    assert (report.pieces, report.skipped) == (2 * len(results.tuning) + 3 * 4, 0)
    assert set(results.kappa) == set(results.prior_scale) == set(SYSTEMS)
    student, baseline = results.row("student", ALL, "clean"), results.row("baseline", ALL, "clean")
    assert results.row("student", "bob", "clean").wer == 0
    assert baseline.wer > student.wer
    assert student.low <= student.wer <= student.high
    assert results.reduction("bob", "clean").werr == 1
    accuracy = {(each.system, each.set, each.condition): each.accuracy for each in results.frame_accuracy}
    assert accuracy["student", "bob", "clean"] > 0.8 > accuracy["baseline", "bob", "clean"]
    assert accuracy["student", "bob", "clean"] > accuracy["student", "bob", "room"]
    assert results.decode_x_real_time > 1
    listed = {each.recording for each in references(recipe, "test").values()}
    assert (results.listed, results.scored) == (len(listed), len(listed) - 1)  # one has no text
    assert f"Scored: {results.scored} of {len(listed)} listed utterances; 1 was rejected." in format_table(results)
    assert results.oov_rate == pytest.approx(1 / results.row("student").words)
    assert "bob  clean" in format_table(results)


def test_odd_utterances_are_scored_as_what_they_are(evaluated):
    recipe, report = evaluated
    lines = Path(recipe.run, "decoding", "hypotheses", "student.jsonl").read_text().splitlines()
    said = {line["id"]: line for line in map(json.loads, lines)}
    assert said["odd-unknown-word"]["hypothesis"] == "a cat sat"
    assert said["odd-no-frame"]["hypothesis"] == said["odd-nan"]["hypothesis"] == ""
    assert "not finite" in said["odd-nan"]["error"]
    odd = read_results(recipe.run).row("student", "odd", "clean")
    assert (odd.utterances, odd.words) == (4, 8)  # without the one that has no text
    assert odd.deletions >= 5
    assert odd.substitutions >= 1
    rejected = [json.loads(line) for line in Path(rejects_uri(recipe.run, "evaluate")).read_text().splitlines()]
    assert {each["id"] for each in rejected} == {"odd-nan"}
    assert report.rejected == len(SYSTEMS)


def test_kappa_is_the_best_on_dev_and_test_is_decoded_with_no_other(evaluated):
    """At 0.0001 the network is not listened to. 0.5 is the largest of the recipe, so one beyond it is tried."""
    recipe, _ = evaluated
    assert read_results(recipe.run).kappa["student"] == 0.5
    wanted = {("kappa-0.0001", "dev"), ("kappa-0.5", "dev"), ("kappa-1", "dev"), ("kappa-0.5", "test")}
    assert tried(recipe, "student") == wanted


def test_dev_is_told_with_the_curve_that_decided(evaluated):
    recipe, _ = evaluated
    results = read_results(recipe.run)
    for system in SYSTEMS:
        curve = {each.kappa: each.wer for each in results.tuning if each.system == system}
        (chosen,) = (row for row in results.dev if (row.system, row.condition) == (system, "all"))
        assert chosen.wer == curve[results.kappa[system]] == min(curve.values())
        assert (chosen.set, chosen.utterances) == (ALL, 6)


def test_prior_scales_are_tried_with_the_best_kappa_alone(evaluated_run):
    before = slabs_of(evaluated_run.run)
    settings = evaluated_run.evaluate.model_copy(update={"prior_scales": (0.0, 1.0)})
    recipe = evaluated_run.model_copy(update={"evaluate": settings})
    report = run_evaluate(recipe)
    results = read_results(recipe.run)
    assert {name for name, _ in tried(recipe, "student")} >= {"kappa-0.5-prior-0"}
    assert {each.prior_scale for each in results.tuning if each.system == "student"} == {0.0, 1.0}
    assert report.pieces - report.skipped == len(slabs_of(recipe.run).keys() - before.keys())
    assert {path: when for path, when in slabs_of(recipe.run).items() if path in before} == before


def test_kappa_does_not_depend_on_what_was_said_in_the_test(evaluated_run):
    """Texts of dev that fit silence better than speech move kappa; the same done to test moves nothing."""
    before = read_results(evaluated_run.run).kappa
    _forget_texts(evaluated_run.run, "test")
    run_evaluate(evaluated_run)
    assert read_results(evaluated_run.run).kappa == before
    _forget_texts(evaluated_run.run, "dev")
    run_evaluate(evaluated_run)
    assert read_results(evaluated_run.run).kappa != before


def _forget_texts(run: str, split: str) -> None:
    """In the manifest; the features made from it are the same, but for naming it."""
    store, heard = ShardStore(run, utterance.STORE), ShardStore(run, features.STORE)
    for entry in store.entries(split):
        silent = [
            utterance.encode(
                [replace(each, text="") for each in utterance.decode(store.read_slab(entry.shard, slab))]
            )
            for slab in range(len(entry.slabs))
        ]
        said = store.publish(
            entry.shard, utterance.SCHEMA, silent, entry.slabs, seconds=0, parents=entry.parents, metadata={}
        )
        slabs = list(heard.read_slabs(entry.shard))
        parents = {"manifest": said.checksum}
        heard.publish(entry.shard, features.SCHEMA, slabs, entry.slabs, seconds=0, parents=parents, metadata={})


def test_what_was_decoded_is_kept_and_only_the_rest_is_done_again(evaluated_run):
    results = Path(evaluated_run.run, "decoding", "results.json")
    first, kept = results.read_bytes(), slabs_of(evaluated_run.run)
    lost = sorted(path for path in kept if path.parent.name == "test" and path.parts[-4] == "teacher")[:2]
    for path in [*lost, results]:
        path.unlink()

    report = run_evaluate(evaluated_run)

    assert report.skipped == report.pieces - len(lost)
    now = slabs_of(evaluated_run.run)
    assert {path for path in now if now[path] != kept[path]} == set(lost)
    without_time = [{**json.loads(data), "decode_x_real_time": 0} for data in (first, results.read_bytes())]
    assert without_time[0] == without_time[1]
    again = run_evaluate(evaluated_run)
    assert again.skipped == again.pieces
    assert again.figures["wer_student"] == report.figures["wer_student"]


def test_a_model_with_posterior_counts_is_decoded_with_them_for_priors(toy_run):
    """With counts that make silence rare, its score grows, and nothing but silence is heard."""
    model, about = load_model(model_uri(toy_run.run, "student"))
    senones, (slab, *_) = load_senones(toy_run.run), split_slabs(toy_run, "dev", load_senones(toy_run.run))
    info = make_graph(toy_run.run, 3, _graph_inputs(toy_run))
    heard = []
    for counts in (None, senones.counts.tolist(), [1.0, *[1e30] * (senones.size - 1)]):
        save_model(model_uri(toy_run.run, "student"), model, about | ({POSTERIOR_COUNTS: counts} if counts else {}))
        system = describe_system(toy_run, "student", info, senones)
        decode_slab(system, slab, [Scales(0.5)])
        found = read_result(system, slab, Scales(0.5))
        assert found is not None
        heard.append([each.words for each in found.hypotheses])
    assert heard[0] == heard[1] != heard[2]
    assert all(words == () for words in heard[2])


def test_a_result_of_other_features_does_not_count(evaluated):
    recipe, _ = evaluated
    slab = split_slabs(recipe, "dev", load_senones(recipe.run))[0]
    info = read_info(recipe.run, inputs_key(_graph_inputs(recipe)))
    assert info is not None
    system = describe_system(recipe, "student", info, load_senones(recipe.run))
    assert read_result(system, slab, Scales(0.5)) is not None
    assert read_result(system, replace(slab, parents={**slab.parents, "features": "0"}), Scales(0.5)) is None
    assert read_result(replace(system, key="0"), slab, Scales(0.5)) is None


def test_a_missing_split_is_asked_for(toy_run):
    shutil.rmtree(Path(toy_run.run, "ledger", "features", "dev"))
    with pytest.raises(ValueError, match="features of the dev split"):
        run_evaluate(toy_run)


def test_a_shard_cut_in_half_is_named_in_one_sentence(toy_run, ray_local):
    shard = Path(toy_run.run, "features", "test", "000001.parquet")
    shard.write_bytes(shard.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"features/test/000001\.parquet is not a whole Parquet file") as refused:
        run_evaluate(toy_run)
    assert "\n" not in str(refused.value)


def test_the_graph_is_built_once_and_checked_when_loaded(toy_run):
    inputs = _graph_inputs(toy_run)
    made = make_graph(toy_run.run, 3, inputs)
    file = Path(toy_run.run, "decoding", "graphs", made.key, "HCLG.fst")
    written = file.stat().st_mtime_ns
    assert make_graph(toy_run.run, 3, inputs) == made
    assert file.stat().st_mtime_ns == written
    bigrams = toy_run.model_copy(update={"evaluate": toy_run.evaluate.model_copy(update={"lm_order": 2})})
    other = make_graph(toy_run.run, 2, _graph_inputs(bigrams))
    assert (other.key != made.key, other.checksum != made.checksum) == (True, True)
    graph = load_graph(toy_run.run, made.key)
    assert (len(graph.words), graph.fst.num_states) == (made.words, made.states)
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"HCLG\.fst is damaged"):
        load_graph(toy_run.run, made.key)
