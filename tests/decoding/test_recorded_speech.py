"""Decoding of real recorded speech, from its alignments and through untrained networks."""

import shutil

import numpy as np
import pytest
import torch

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.graph_files import graph_inputs, load_graph, make_graph
from ssl_asr.decoding.scores import Scales, acoustic_scores
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.inputs import language_inputs
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.scoring import Edits, count_edits
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.recipe import BlstmNetwork, LstmNetwork
from ssl_asr.store import alignments, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

SYSTEMS = ("baseline", "teacher", "student")


def _aligned_texts(run: str, split: str, senone_set: str) -> list[tuple[str, np.ndarray]]:
    """(text, 30 ms senones) of every clean utterance of the split that could be aligned."""
    said, aligned = ShardStore(run, utterance.STORE), ShardStore(run, alignments.store_name(senone_set))
    texts, labels = {}, {}
    for entry in said.entries(split):
        for slab in range(len(entry.slabs)):
            texts |= {each.id: each for each in utterance.decode(said.read_slab(entry.shard, slab))}
    for entry in aligned.entries(split):
        for slab in range(len(entry.slabs)):
            labels |= alignments.decode(aligned.read_slab(entry.shard, slab))
    return [
        (texts[name].text, stack_labels(senones))
        for name, senones in labels.items()
        if len(senones) and texts[name].condition == utterance.CLEAN
    ]


def test_a_network_that_hears_the_alignment_gets_nearly_every_word(aligned_run):
    senones = load_senones(aligned_run.run)
    inputs = graph_inputs(aligned_run.run, senones.id, language_inputs(aligned_run))
    info = make_graph(aligned_run.run, aligned_run.evaluate.lm_order, inputs)
    graph = load_graph(aligned_run.run, info.key)
    assert info.max_label <= senones.size
    decoder = Decoder(graph, aligned_run.evaluate.beam, aligned_run.evaluate.max_active)
    total, known = Edits(), set(graph.words)
    for text, labels in _aligned_texts(aligned_run.run, "labeled", senones.id):
        if set(text.split()) <= known:
            posteriors = np.full((len(labels), senones.size), 0.1 / senones.size, np.float32)
            posteriors[np.arange(len(labels)), labels] += 0.9
            words = decoder.decode(acoustic_scores(np.log(posteriors), senones.log_priors(), Scales(1.0)))
            total += count_edits(text.split(), words)
    assert total.words > 200
    assert total.word_error_rate < 0.1


@pytest.mark.timeout(600)
def test_untrained_models_are_evaluated_in_every_set_and_condition(aligned_run, tmp_path):
    shutil.copytree(aligned_run.run, tmp_path / "run")
    recipe = aligned_run.model_copy(update={"run": str(tmp_path / "run")})
    senones = load_senones(recipe.run)
    for seed, name in enumerate(SYSTEMS):
        torch.manual_seed(seed)
        sizes = {"layers": 1, "units": 16, "look_ahead": 0}
        network = BlstmNetwork(**sizes) if name == "teacher" else LstmNetwork(**sizes)
        model = AcousticModel(ModelSpec(network, 192, senones.size))
        save_model(model_uri(recipe.run, name), model, {"senone_set": senones.id})
    report = run_evaluate(recipe)
    results = read_results(recipe.run)
    assert report.rejected == 0
    conditions = {row.condition for row in results.rows}
    assert conditions == {*recipe.corpus.test_conditions, ALL}
    sets = {row.set for row in results.rows}
    assert len(results.rows) == len(SYSTEMS) * len(sets) * len(conditions)
    assert len(results.frame_accuracy) == len(results.rows)
    assert all(0.5 < row.wer < 2 for row in results.rows)
    assert 0 < results.oov_rate < 0.5
