"""What a result depends on: fields by product, only where they differ from their defaults, and versions."""

from __future__ import annotations

import json
from typing import Annotated, get_args

import pytest

from ssl_asr.recipe import Recipe, load_recipe
from ssl_asr.recipe.identity import Affects, Product, differences, digest, inputs_key, leaves, non_defaults
from ssl_asr.recipe.section import Section
from tests.recipe import defaults

PRODUCTS = get_args(Product)


@pytest.mark.parametrize("overrides", [[], ["teacher.network.kind=lstm", "student.network.kind=blstm"]])
def test_every_field_says_what_it_affects(overrides: list[str]) -> None:
    found = leaves(load_recipe("demo", [*overrides, "transducers.any.unlabeled_passes=0"]))
    assert [leaf.path for leaf in found if leaf.affects is None] == []
    assert len({leaf.path for leaf in found}) == len(found) > 80
    assert {product for leaf in found for product in leaf.affects or ()} == {*PRODUCTS}


def test_a_field_without_a_mark_is_found() -> None:
    class Inner(Section):
        marked: Annotated[int, Affects("test")] = 1
        forgotten: int = 2

    class Outer(Section):
        covered: Annotated[Inner, Affects("dev")] = Inner()
        bare: Inner = Inner()

    affects = {leaf.path: leaf.affects for leaf in leaves(Outer())}
    assert affects == {
        "covered.marked": frozenset({"test"}),
        "covered.forgotten": frozenset({"dev"}),
        "bare.marked": frozenset({"test"}),
        "bare.forgotten": None,
    }


def test_a_recipe_of_defaults_chooses_nothing() -> None:
    assert {product: non_defaults(Recipe(), product) for product in PRODUCTS} == {product: {} for product in PRODUCTS}


def test_a_choice_is_what_differs_from_its_default() -> None:
    recipe = load_recipe("demo", ["frontend.low_hz=20", "frontend.high_hz=3500", "frontend.sample_rate=8000"])
    assert non_defaults(recipe, "features") == {"frontend.high_hz": "3500.0", "frontend.sample_rate": "8000"}
    # Written out or not, whole or not, it is the same value.
    assert Recipe().frontend.low_hz == 20
    spelled = [Recipe.model_validate({"evaluate": {"beam": beam}}) for beam in (13, 13.0, 9, 9.0)]
    assert [non_defaults(each, "hypotheses") for each in spelled] == [{}, {}, *[{"evaluate.beam": "9.0"}] * 2]


@pytest.mark.parametrize(
    ("override", "affected"),
    [
        ("name=mine", set()),
        ("run=/tmp/elsewhere", set()),
        ("corpus.cache=/tmp/elsewhere", set()),
        ("corpus.max_reject_share=0.5", set()),
        ("corpus.lm_text=/tmp/text", set()),  # its content counts
        ("cluster.train_workers=[1, 7]", set()),
        ("cluster.price_per_actor_hour=1.5", set()),
        ("student.sync.checkpoint_blocks=7", set()),
        ("labelling.teachers=[teacher, student]", set()),  # so does that of the models
        ("corpus.test_conditions=[clean, room]", {"test"}),
        ("corpus.dev_conditions=[clean, room]", {"dev"}),
        ("corpus.labeled_copies=3", {"labeled"}),
        ("corpus.unlabeled_copies=3", {"unlabeled"}),
        ("corpus.train_conditions=[clean, room]", {"labeled", "unlabeled"}),
        ("corpus.slab_minutes=3", {"labeled", "unlabeled", "dev", "test", "shards"}),
        ("corpus.test_minutes=5", {"open-test", "open-dev", "open-labeled", "open-unlabeled"}),
        ("frontend.mean_memory_seconds=60", {"features"}),
        ("hmm.g2p_words=100", {"lexicon"}),
        ("hmm.lexicon=graphemes", set()),  # its content counts
        ("hmm.questions=clustered", set()),  # that of the senones
        ("hmm.flat_start_iterations=7", {"flat-start"}),
        ("hmm.senones=1234", {"senones"}),
        ("hmm.wrong_texts=weigh", {"flat-start", "alignments"}),
        ("teacher.network.layers=9", {"teacher"}),
        ("teacher.optimiser.momentum=0.5", {"teacher"}),
        ("labelling.k=7", {"targets"}),
        ("hypotheses.teacher=student", set()),  # its content counts
        ("hypotheses.kappa=0.5", {"pseudo-labels"}),
        ("student.network.layers=9", {"baseline", "baseline-short", "student", "topline"}),
        ("student.sync.simulated_workers=8", {"baseline", "baseline-short", "student", "topline"}),
        ("student.shorter_baseline=0.3", {"baseline-short"}),
        (
            "student.labeled_objective.kind=adversarial-cross-entropy",
            {"baseline", "baseline-short", "student", "topline"},
        ),
        ("teacher.objective.kind=adversarial-cross-entropy", {"teacher"}),
        ("student.unlabeled_objective.kind=cross-entropy", {"student"}),
        ("student.unlabeled_objective.temperature=2", {"student"}),
        ("teacher.sequence.epochs=3", {"teacher-smbr"}),
        ("teacher.sequence.kappa=0.5", {"lattices"}),  # of which the model's own inputs take account
        (
            "student.sequence.optimiser.learning_rate=0.1",
            {"baseline-smbr", "baseline-short-smbr", "student-smbr", "topline-smbr"},
        ),
        ("student.sequence.sync.checkpoint_blocks=7", set()),
        ("evaluate.lm_order=4", {"graph"}),
        ("adapt.passes=9", {"adapted"}),
        ("adapt.lambdas=[0.5]", set()),
        ("evaluate.beam=9", {"hypotheses"}),
        ("evaluate.kappas=[0.1]", {"results"}),
        ("evaluate.prior_scales=[0.5, 1]", {"results"}),
        ("evaluate.bootstrap=10", {"results"}),
        ("evaluate.topline=false", {"results"}),
    ],
)
def test_a_change_affects_what_it_says_and_nothing_else(override: str, affected: set[str]) -> None:
    before, after = load_recipe("demo"), load_recipe("demo", [override])
    assert before != after
    moved = {product for product in PRODUCTS if non_defaults(before, product) != non_defaults(after, product)}
    assert moved == affected


def test_the_seed_affects_all_that_is_drawn() -> None:
    before, after = load_recipe("demo"), load_recipe("demo", ["seed=7"])
    moved = {product for product in PRODUCTS if non_defaults(before, product) != non_defaults(after, product)}
    not_drawn = {"dev", "test", "shards", "features", "lexicon", "flat-start", "senones", "targets", "graph"}
    assert {*PRODUCTS} - moved == {
        *not_drawn,
        "alignments",
        "lattices",
        "hypotheses",
        "pseudo-labels",
        "transducer-words",
    }
    assert non_defaults(after, "teacher")["seed"] == "7"


def test_a_section_of_another_kind_is_named_and_judged_by_its_own_defaults() -> None:
    usual = Recipe()
    other = Recipe.model_validate({"teacher": {"network": {"kind": "lstm"}}})
    assert non_defaults(other, "teacher") == {"teacher.network": "lstm"}
    assert differences(non_defaults(usual, "teacher"), non_defaults(other, "teacher")) == ["teacher.network"]
    deeper = Recipe.model_validate({"teacher": {"network": {"kind": "lstm", "look_ahead": 0, "units": 768}}})
    assert non_defaults(deeper, "teacher") == {"teacher.network": "lstm", "teacher.network.look_ahead": "0"}
    assert non_defaults(other, "student") == {}


def test_keys_are_shared_by_equal_inputs_alone() -> None:
    inputs = {"version": "1", "features": "abc", "frontend.low_hz": "40.0"}
    assert inputs_key(inputs) == inputs_key(dict(reversed(inputs.items())))
    others = [{**inputs, "version": "2"}, {**inputs, "more": ""}, {"version": "1", "features": "abc"}, {}]
    assert len({inputs_key(each) for each in (inputs, *others)}) == 5
    assert len(inputs_key({})) == 12
    assert digest(["a", "b"]) == digest(iter(["a", "b"])) != digest(["b", "a"])
    assert len({digest([]), digest(["ab"]), digest(["a", "b"])}) == 3


def test_differences_name_what_was_added_dropped_and_changed() -> None:
    before, now = {"same": "1", "changed": "1", "dropped": "1"}, {"same": "1", "changed": "2", "added": "1"}
    assert differences(before, now) == ["added", "changed", "dropped"]
    assert differences(now, now) == []


def test_whoever_changes_a_default_raises_a_version() -> None:
    assert {*defaults.VERSIONS} == {*PRODUCTS}
    assert defaults.complaints(json.loads(defaults.FILE.read_text()), defaults.today()) == []


def test_a_changed_default_is_told_with_the_version_to_raise() -> None:
    now = defaults.today()

    def before(**changes: str) -> dict:
        kept = json.loads(json.dumps(now))
        kept["hypotheses"]["fields"]["evaluate.beam"] = changes.get("beam", "13.0")
        if version := changes.get("version"):
            kept["hypotheses"]["versions"]["evaluation/inputs.py VERSION"] = version
        return kept

    assert defaults.complaints(before(), now) == []
    assert defaults.complaints(before(beam="9.0"), now) == [
        "evaluate.beam, which affects hypotheses, was 9.0 and is 13.0: raise evaluation/inputs.py VERSION"
    ]
    (said,) = defaults.complaints(before(beam="9.0", version="0"), now)
    assert "writes the file anew" in said
    # A field that is new, with a default that means what was done before, needs no version.
    without = before()
    del without["hypotheses"]["fields"]["evaluate.max_active"]
    (said,) = defaults.complaints(without, now)
    assert "writes the file anew" in said
