"""Multiply-adds counted by hand, and what devices make of them."""

from __future__ import annotations

import pytest

from ssl_asr.planning.compute import (
    devices_of,
    labelling_seconds,
    student_network,
    teacher_network,
    training_seconds,
    transducer_network,
)
from ssl_asr.planning.facts import BFLOAT16_GAIN
from ssl_asr.planning.question import Question
from ssl_asr.recipe import load_recipe


def test_multiply_adds_by_hand():
    paper = load_recipe("paper")
    units, inputs, senones = 768, 192, 3183
    forwards = 4 * units * (inputs + units) + 4 * (4 * units * 2 * units) + units * senones
    both_ways = 2 * 4 * units * (inputs + units) + 4 * 2 * (4 * units * 3 * units) + 2 * units * senones
    student, teacher = student_network(paper), teacher_network(paper)
    assert (student.multiply_adds, teacher.multiply_adds) == (forwards, both_ways)
    assert (student.cells, teacher.cells) == (5 * 768, 10 * 768)
    # Published: about 24 M; our count of the teacher is 67.5 M. Two biases a gate, one of the last layer.
    assert student.parameters == student.multiply_adds + 5 * 8 * units + senones == 24_301_935
    assert teacher.parameters == 67_475_055


def test_a_core_takes_the_time_that_was_measured():
    """448 frames/s of a 24 M student on one core: the measurement behind the two terms comes out of them again."""
    paper = load_recipe("paper", ["cluster.use_gpu=false"])
    core = devices_of(paper, Question())
    assert core.kind == "core"
    assert 1 / training_seconds(student_network(paper), core).value == pytest.approx(448, rel=0.01)


def test_a_small_network_uses_less_of_the_machine():
    recipes = [load_recipe("demo"), load_recipe("paper", ["cluster.use_gpu=false"])]
    shares = []
    for recipe in recipes:
        network = student_network(recipe)
        seconds = training_seconds(network, devices_of(recipe, Question())).value
        shares.append(6 * network.multiply_adds / 93.8e9 / seconds)
    assert 0.3 < shares[0] < 0.5 < shares[1] < 0.8


def test_a_convolution_s_weights_are_used_for_every_feature():
    """ConvRNN-T has as many parameters as the LSTM student without its senones, and costs five times as much."""
    lstm, conv = (
        student_network(load_recipe("paper", [f"student.network.kind={kind}", *sizes]))
        for kind, sizes in (("lstm", []), ("conv-rnnt", ["student.network.layers=6", "student.network.units=640"]))
    )
    assert conv.parameters == pytest.approx(lstm.parameters, rel=0.1)
    assert conv.multiply_adds == pytest.approx(5 * lstm.multiply_adds, rel=0.1)
    core = devices_of(load_recipe("demo"), Question())
    assert training_seconds(conv, core).value > 3 * training_seconds(lstm, core).value
    assert "124.24 M multiply-adds" in training_seconds(conv, core).source


def test_a_separator_s_recogniser_and_joiner_work_for_each_channel():
    sizes = ["network.kind=separator", "network.units=10", "network.width=6", "network.recogniser_layers=3"]
    given = [*sizes, "conversations.marks=none", "unlabeled_passes=0", "joiner=7", "word_pieces=20"]
    recipe = load_recipe("paper", [f"transducers.sts.{each}" for each in given])
    network = transducer_network(recipe, recipe.transducers["sts"])
    first, layer = 4 * 10 * (192 + 10), 4 * 10 * (10 + 10)
    joined = 6 * 7 + 7 * 20
    assert network.multiply_adds == first + layer + 2 * (2 * layer + 3 * layer + 10 * 6 + joined)
    assert network.cells == 10 * (2 + 2 * 2 + 2 * 3)


def test_gpus_are_asked_for_or_the_recipe_s():
    demo, paper = load_recipe("demo"), load_recipe("paper")
    assert devices_of(demo, Question()).kind == "core"
    assert (devices_of(demo, Question(gpus=3)).kind, devices_of(demo, Question(gpus=3)).trainers) == ("GPU", 3)
    assert devices_of(paper, Question()).trainers == 64


def test_a_gpu_s_time_follows_its_speed_and_precision():
    paper = load_recipe("paper")
    slow, fast = (devices_of(paper, Question(gpus=1, gflops=rate)) for rate in (1000, 4000))
    network = teacher_network(paper)
    assert training_seconds(network, slow).value == pytest.approx(6 * network.multiply_adds / 1e12)
    assert training_seconds(network, slow).value == pytest.approx(4 * training_seconds(network, fast).value)
    assert "given on the command line" in training_seconds(network, slow).source
    plain, half = (labelling_seconds(network, slow, precision).value for precision in ("float32", "bfloat16"))
    assert plain == pytest.approx(2 * network.multiply_adds / 1e12)
    assert half == pytest.approx(plain / BFLOAT16_GAIN.value)
    assert "stated: an A10G's" in training_seconds(network, devices_of(paper, Question())).source
