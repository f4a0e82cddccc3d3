"""The stage of the transducers: trains each once, again where what it learns from changes, and from what it says."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.evaluation.inputs import describe_transducer, references, split_slabs
from ssl_asr.evaluation.percentiles import Percentiles
from ssl_asr.evaluation.reference_times import Span
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.evaluation.transducer_results import EmissionDelays, EncoderCompute, TransducerErrors
from ssl_asr.evaluation.transducer_tables import format_transducers
from ssl_asr.frontend.stacking import stack
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import load_model, save_model
from ssl_asr.recipe import Recipe, load_recipe, parse_recipe
from ssl_asr.report.evidence import gather
from ssl_asr.report.page import render
from ssl_asr.store import features, utterance
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.results_layout import piece_ngram_uri, results_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import fix_hint
from ssl_asr.training.curve import read_curve
from ssl_asr.training.job import build_model
from ssl_asr.training.transducer.inputs import transducer_inputs
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.stage import run_transducers, todo_transducers
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces
from ssl_asr.transducer.model_files import load_transducer, save_transducer
from ssl_asr.transducer.recognise import recognise
from ssl_asr.transducer.slabs import read_slab, recognise_slab
from ssl_asr.transducer.words import emitted_words, stream_times
from ssl_asr.verifying.run import verify
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.transducer_run import with_transducers, write_hypotheses


def trained(recipe: Recipe) -> dict[str, bytes]:
    with placed_here(), simulated_training():
        run_transducers(recipe)
    return {name: Path(model_uri(recipe.run, name)).read_bytes() for name in recipe.transducers}


def test_each_transducer_is_trained_on_labels_and_hypotheses_and_once(transducer_recipe: Recipe) -> None:
    assert [todo.product for todo in todo_transducers(transducer_recipe, [])] == ["transducers"]
    models = trained(transducer_recipe)
    assert todo_transducers(transducer_recipe, []) == []
    with placed_here(), simulated_training():
        report = run_transducers(transducer_recipe)
    assert report.skipped == report.pieces
    assert {each["source"] for each in read_curve(transducer_recipe.run, "rnnt") if "source" in each} == {
        "labeled",
        "unlabeled",
    }
    for name, data in models.items():
        assert Path(model_uri(transducer_recipe.run, name)).read_bytes() == data
        model, pieces, _ = load_transducer(model_uri(transducer_recipe.run, name))
        assert len(pieces) == model.spec.outputs == 12


def test_other_hypotheses_train_anew_and_another_search_does_not(transducer_recipe: Recipe) -> None:
    trained(transducer_recipe)
    key = describe_transducer(transducer_recipe, "rnnt").key
    searched = with_transducers(transducer_recipe, search={"beam": 2})
    assert todo_transducers(searched, []) == []
    assert describe_transducer(searched, "rnnt").key != key
    faster = with_transducers(transducer_recipe, fast_emit=0.005)
    assert todo_transducers(faster, [])[0].because == ("transducers.rnnt.fast_emit",)
    write_hypotheses(transducer_recipe, {"two cats": "a cat"})
    assert todo_transducers(transducer_recipe, [])[0].because == ("hypotheses",)


def test_the_encoder_begins_as_that_of_a_network_that_is_like_it(transducer_recipe: Recipe) -> None:
    student = transducer_recipe.student.network.model_dump()
    like = with_transducers(transducer_recipe, network={**student, "dropout": 0.3}, encoder_from="student")
    job = transducer_job(like, transducer_plan(like, "rnnt"), ensure_word_pieces(like, like.transducers["rnnt"]))
    begun, (source, _) = build_model(job), load_model(model_uri(like.run, "student"))
    for mine, its in zip(begun.encoder.parameters(), source.encoder.parameters(), strict=True):
        assert torch.equal(mine, its)
    with pytest.raises(ValueError, match=r"encoder_from=student has another network; give both the same"):
        with_transducers(transducer_recipe, encoder_from="student")


def test_a_transformer_with_gates_begins_as_one_without(transducer_recipe: Recipe) -> None:
    plain = {"kind": "transformer", "layers": 2, "heads": 2, "width": 8, "feed_forward": 8}
    values = with_transducers(transducer_recipe).model_dump(mode="json")
    values["student"]["network"] = plain
    gated = {**plain, "left_context": 3, "gating": {"units": 2, "layers": 1}, "dropout": 0.3}
    told = {"network": gated, "encoder_from": "student", "unlabeled_passes": 0}
    values["transducers"] = {"gated": {**values["transducers"]["rnnt"], **told}}
    recipe = parse_recipe(values)
    student = AcousticModel(ModelSpec(recipe.student.network, 192, 5))
    save_model(model_uri(recipe.run, "student"), student, {})
    pieces = ensure_word_pieces(recipe, recipe.transducers["gated"])
    begun = build_model(transducer_job(recipe, transducer_plan(recipe, "gated"), pieces)).encoder.state_dict()
    for name, weights in student.encoder.state_dict().items():
        assert torch.equal(begun.pop(name), weights)
    assert {name.partition(".")[0] for name in begun} == {"arbitrators"}


def test_other_labeled_texts_train_anew_and_those_of_unlabeled_speech_do_not(
    transducer_recipe: Recipe,
) -> None:
    before = transducer_inputs(transducer_recipe, "rnnt")
    store = ShardStore(transducer_recipe.run, utterance.STORE)
    for split, changed in (("unlabeled", set()), ("labeled", {"texts"})):
        entry = store.entries(split)[0]
        slabs = [utterance.decode(slab) for slab in store.read_slabs(entry.shard)]
        tables = [utterance.encode([replace(each, text="two cats sat") for each in slab]) for slab in slabs]
        counts = [len(slab) for slab in slabs]
        store.publish(entry.shard, utterance.SCHEMA, tables, counts, seconds=1.0, parents={}, metadata={})
        now = transducer_inputs(transducer_recipe, "rnnt")
        assert {name for name in now if now[name] != before[name]} == changed


def test_what_it_recognises_is_what_the_search_finds_and_is_kept_by_slab(transducer_recipe: Recipe) -> None:
    trained(transducer_recipe)
    senones, run = load_senones(transducer_recipe.run), transducer_recipe.run
    for name in transducer_recipe.transducers:
        system = describe_transducer(transducer_recipe, name)
        model, pieces, _ = load_transducer(model_uri(run, name))
        for slab in split_slabs(transducer_recipe, "test", senones):
            assert read_slab(system, slab) is None
            recognise_slab(system, slab)
            found = read_slab(system, slab)
            assert found is not None
            rows = features.decode(ShardStore(run, features.STORE).read_slab(slab.shard, slab.number), 64)
            for row, each in zip(rows, found.hypotheses, strict=True):
                frames = torch.from_numpy(stack(row.frames)).float()
                ((best, *_),) = recognise(model, [frames], system.search)
                assert " ".join(each.words) == pieces.decode(best.labels)
                assert each.emitted == stream_times(emitted_words(best, pieces), model.encoder.look_ahead)


def test_results_say_how_late_words_are_put_out(transducer_recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(transducer_recipe)
    for name in transducer_recipe.transducers:
        speak(model_uri(transducer_recipe.run, name))
    times = {each.recording: each for each in references(transducer_recipe, "test").values()}
    spoken = {name: [Span(0.0, 0.3)] * len((each.text or "").split()) for name, each in times.items()}
    monkeypatch.setattr("ssl_asr.evaluation.stage.times_of", lambda what, wanted: spoken if wanted else {})
    with placed_here():
        run_evaluate(transducer_recipe)
    for each in read_results(transducer_recipe.run).transducers:
        assert [(row.set, row.condition) for row in each.delays] == [(row.set, row.condition) for row in each.rows]
        everything = each.delays[-1].last_word
        assert everything is not None
        assert everything.count == each.rows[-1].utterances
        # Words ended at 0.3 s, and the audio at 1.2 s; one network looks a frame ahead.
        assert -0.3 < everything.p50 < 0.94


def test_recognised_again_the_results_differ_in_times_alone(transducer_recipe: Recipe) -> None:
    trained(transducer_recipe)
    found = []
    for _ in range(2):
        with placed_here():
            run_evaluate(transducer_recipe)
        results = read_results(transducer_recipe.run)
        factors = [each.real_time_factor for each in results.transducers]
        assert all(factor is not None and 0 < factor < 10 for factor in factors)
        timeless = [replace(each, real_time_factor=None) for each in results.transducers]
        found.append(replace(results, transducers=timeless, decode_x_real_time=0.0))
        for name in transducer_recipe.transducers:
            (words,) = Path(transducer_recipe.run, "decoding").glob(f"*/{name}")
            shutil.rmtree(words)
        Path(results_uri(transducer_recipe.run)).unlink()
    assert found[0] == found[1]


def test_a_search_with_an_ngram_is_another_one_and_its_ngram_is_in_the_run(transducer_recipe: Recipe) -> None:
    trained(transducer_recipe)
    fused = with_transducers(transducer_recipe, search={"beam": 2, "lm_weight": 0.5, "lm_order": 2})
    without, system = (describe_transducer(each, "rnnt") for each in (transducer_recipe, fused))
    assert (without.ngram, describe_transducer(fused, "conv").ngram) == ("", "")
    assert system.ngram
    assert system.key != without.key
    with placed_here():
        run_evaluate(fused)
    ngram = Path(piece_ngram_uri(fused.run, system.ngram)).read_text()
    assert ngram.count("-grams:") == 2
    results = read_results(fused.run)
    assert [each.lm_weight for each in results.transducers] == [0.5, 0.0]
    assert "without a language model, but for these weights of an n-gram of word pieces: rnnt 0.5." in " ".join(
        format_transducers(results).split()
    )
    text = Path(lm_text_uri(fused.run))
    text.write_text(text.read_text() + "two cats\n")
    assert describe_transducer(fused, "rnnt").key != system.key
    assert describe_transducer(transducer_recipe, "rnnt").key == without.key


def speak(uri: str) -> None:
    """Blank is less probable now, so the model recognises something in every utterance."""
    model, pieces, about = load_transducer(uri)
    with torch.no_grad():
        model.joiner.output.bias[0] -= 5
    save_transducer(uri, model, pieces, about)


def test_damaged_accounts_name_the_stage(transducer_recipe: Recipe) -> None:
    assert fix_hint("RUN", "rnnt").endswith("run `ssl-asr transducers RUN` again")


def test_a_finished_run_with_transducers_is_verified_and_has_its_page(transducer_recipe: Recipe) -> None:
    trained(transducer_recipe)
    assert [each.sentence for each in verify(transducer_recipe).findings if "rnnt" in each.sentence] == []
    results = read_results(transducer_recipe.run)
    rows = [row for row in results.rows if row.system == results.systems[0]]
    delays = [EmissionDelays(row.set, row.condition, Percentiles(0.12, 0.345, 7), None) for row in rows]
    rnnt = TransducerErrors("rnnt", rows, (), delays, EncoderCompute(6e5, 8e5), real_time_factor=0.0321)
    errors = (rnnt, TransducerErrors("conv", rows, results.werr, (), EncoderCompute(9e5, 9e5)))
    write_results(transducer_recipe.run, replace(results, transducers=errors))
    page = render(gather(transducer_recipe))
    assert "rnnt WER %" in page
    assert "conv WERR %" in page
    assert "rnnt PR50 / PR90 ms" in page
    table = format_transducers(read_results(transducer_recipe.run))
    assert "conv WERR %" in table
    assert "conv PR50" not in table
    lines = table.splitlines()
    (head,) = [place for place, line in enumerate(lines) if "rnnt PR50 / PR90 ms" in line]
    assert lines[head + 1 + len(rows)].split() == ["all", "all", "120", "/", "345", "-"]
    read = read_results(transducer_recipe.run).transducers
    assert [each.delays for each in read] == [delays, []]
    assert [each.real_time_factor for each in read] == [0.0321, None]
    (head,) = [place for place, line in enumerate(lines) if "real-time factor" in line and "MFLOPs" in line]
    assert lines[head + 2].split()[-4:] == ["0.6", "0.0321", "25.0", "0.0"]
    assert lines[head + 3].split()[-4:] == ["0.9", "-", "0.0", "-50.0"]
    assert "of the learned gates" not in table, "there are none"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("student", "has the name of another model"),
        ("student-smbr-first", "begins with one"),
        ("extractor-own", "begins with one"),
        ("Big", "a name is of a-z, 0-9 and hyphens, such as rnnt"),
    ],
)
def test_a_name_of_another_model_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_recipe("demo", [f"transducers.{name}.unlabeled_passes=0"])


def test_keys_of_a_transducer_are_given_and_corrected_like_all_others() -> None:
    given = ["transducers.mine.unlabeled_passes=0", "transducers.mine.network.kind=conv-rnnt"]
    recipe = load_recipe("demo", [*given, "transducers.mine.network.width=24"])
    assert recipe.transducers["mine"].network.kind == "conv-rnnt"
    with pytest.raises(ValueError, match=r"unknown recipe key 'transducers.mine.network.widt'; did you mean 'width'"):
        load_recipe("demo", [*given, "transducers.mine.network.widt=24"])
    with pytest.raises(ValueError, match=r"hypotheses.teacher=student, or set transducers.mine.unlabeled_passes=0"):
        load_recipe("demo", ["transducers.mine.joiner=8"])
    wrong = ("sync.optimiser_state=correct", "optimiser.name=sgd")
    with pytest.raises(ValueError, match=r"optimiser_state=correct is BMUF-Adam's"):
        load_recipe("demo", [*given, *(f"transducers.mine.{each}" for each in wrong)])
