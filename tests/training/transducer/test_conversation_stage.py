"""The stage trains a separator-transducer-segmenter on conversations of the run's own speech, once."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.separator import Separator
from ssl_asr.recipe import Recipe
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.data.conversations import ConversationReader
from ssl_asr.training.job import TrainingJob
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.objectives.separated import SeparatedTransducer
from ssl_asr.training.transducer.inputs import transducer_inputs
from ssl_asr.training.transducer.plan import transducer_job, transducer_plan
from ssl_asr.training.transducer.stage import run_transducers, todo_transducers
from ssl_asr.training.transducer.word_pieces import ensure_word_pieces, word_pieces_of
from ssl_asr.transducer.model_files import load_transducer
from ssl_asr.verifying.run import verify
from tests.conversation_run import with_conversations
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.training.test_loop import resumed_equals_unbroken


def job_of(recipe: Recipe) -> TrainingJob:
    return transducer_job(
        recipe, transducer_plan(recipe, "sts"), ensure_word_pieces(recipe, recipe.transducers["sts"])
    )


def pieces_of(recipe: Recipe) -> WordPieces:
    return ensure_word_pieces(recipe, recipe.transducers["sts"])


def test_it_is_trained_once_and_judged_on_dev_conversations(conversation_recipe: Recipe) -> None:
    assert [todo.product for todo in todo_transducers(conversation_recipe, [])] == ["transducers"]
    with placed_here(), simulated_training():
        run_transducers(conversation_recipe)
        again = run_transducers(conversation_recipe)
    assert todo_transducers(conversation_recipe, []) == []
    assert again.skipped == again.pieces
    curve = read_curve(conversation_recipe.run, "sts")
    assert {each["source"] for each in curve if "source" in each} == {"labeled"}
    dev = [each["dev_loss"] for each in curve if "dev_loss" in each]
    assert len(dev) == 3
    assert 0 < dev[-1] < dev[0]
    model, pieces, _ = load_transducer(model_uri(conversation_recipe.run, "sts"))
    assert isinstance(model.encoder, Separator)
    assert pieces.pieces[2:4] == ("<sot>", "<eot>")
    assert len(pieces) == model.spec.outputs == 14
    assert [each.sentence for each in verify(conversation_recipe).findings if "sts" in each.sentence] == []


@pytest.mark.parametrize("setting", ["bmuf, adam", "gtc, adam"])
def test_resumed_equals_unbroken_bit_for_bit(conversation_recipe: Recipe, tmp_path: Path, setting: str) -> None:
    torch.set_num_threads(1)
    job = job_of(with_conversations(conversation_recipe, one_talker_passes=1, masking=0.1))
    assert len({phase.offset for phase in job.schedule}) == 3
    resumed_equals_unbroken(job, tmp_path / "checkpoint", setting, workers=2, save_at=2)


def test_the_objective_has_the_recipe_s_settings(conversation_recipe: Recipe) -> None:
    recipe = with_conversations(conversation_recipe, {"fast_emit": 0.004}, masking=0.2, marks="change")
    objective = build_objective(job_of(recipe).objectives["labeled"])
    assert isinstance(objective, SeparatedTransducer)
    section = objective.section
    assert (section.masking, section.fast_emit, section.marks, section.channels) == (0.2, 0.004, "change", 2)
    assert section.sample_rate == recipe.frontend.sample_rate == 8000
    assert section.word_pieces == word_pieces_of(recipe, recipe.transducers["sts"])


def test_the_marks_are_symbols_of_word_pieces_of_their_own(conversation_recipe: Recipe) -> None:
    marks = {"start-end": ("<sot>", "<eot>"), "change": ("<cot>",), "none": ()}
    files = set()
    for kind, symbols in marks.items():
        recipe = with_conversations(conversation_recipe, {"word_pieces": 12}, marks=kind)
        pieces = pieces_of(recipe)
        assert tuple(pieces.pieces[each] for each in sorted(pieces.symbols)[1:]) == symbols
        files.add(word_pieces_of(recipe, recipe.transducers["sts"]))
    assert len(files) == 3
    alone = recipe.transducers["sts"].model_copy(update={"conversations": None})
    assert word_pieces_of(recipe, alone) in files, "pieces without a symbol are those of every transducer"


def test_other_conversations_train_anew(conversation_recipe: Recipe) -> None:
    before = transducer_inputs(conversation_recipe, "sts")
    changed = transducer_inputs(with_conversations(conversation_recipe, overlap_share=0.25), "sts")
    assert {name for name in changed if changed[name] != before.get(name)} == {
        "transducers.sts.conversations.overlap_share"
    }
    assert before["conversations version"]


def test_the_first_passes_hear_one_talker_at_a_time(conversation_recipe: Recipe) -> None:
    recipe = with_conversations(conversation_recipe, turns=[2, 2], one_talker_passes=1)
    job = job_of(recipe)
    assert isinstance(job.reader, ConversationReader)
    reader = pickle.loads(pickle.dumps(job.reader))  # as a worker has it
    (source,) = job.sources
    first, second, outside = ([replace(ref, sweep=sweep) for ref in source] for sweep in (0, 1, None))
    for refs, turns in ((first, {1}), (second, {2}), (outside, {2})):
        found = [each for ref in refs for each in reader.read("labeled", ref, 0)]
        assert {len(each.turns) for each in found} == turns
    said = [turn.id for ref in first for each in reader.read("labeled", ref, 0) for turn in each.turns]
    assert len(said) == len(set(said)) == 4
    assert source.at(len(source) - 1).sweep == 0
    assert source.at(len(source)).sweep == 1
