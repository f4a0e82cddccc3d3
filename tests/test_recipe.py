"""Recipes: the presets' sizes, overrides and refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
import yaml

from ssl_asr.frontend.stacking import STACK
from ssl_asr.recipe import NETWORKS, Listed, NetworkSection, load_recipe, parse_recipe, presets
from ssl_asr.recipe.identity import leaves
from ssl_asr.runtime.run_directory import open_recipe, save_recipe


def test_paper_preset_holds_the_published_sizes():
    paper = load_recipe("paper")
    assert paper.frontend.mel_bins * STACK == 192
    assert (paper.teacher.network.layers, paper.teacher.network.units) == (5, 768)
    assert (paper.student.network.layers, paper.student.network.units) == (5, 768)
    assert paper.hmm.senones == 3183
    assert paper.labelling.k == 20
    assert paper.student.network.look_ahead == 3
    assert paper.student.batching.chunk_frames == 32
    assert paper.teacher.batching.chunk_frames == 32
    assert paper.student.sub_epochs == 18
    assert paper.student.whole_sub_epochs == 3
    assert (paper.teacher.labeled_passes, paper.teacher.whole_passes) == (10, 2)
    assert paper.cluster.train_workers[1] == 64
    assert (paper.student.sync.strategy, paper.student.sync.variant) == ("bmuf", "nesterov")


def test_paper_block_is_about_100_minibatches():
    paper = load_recipe("paper")
    slab_frames = paper.corpus.slab_minutes * 60 / 0.03
    batching = paper.student.batching
    minibatches = paper.student.sync.block_slabs * slab_frames / (batching.chunk_frames * batching.batch_chunks)
    assert 90 <= minibatches <= 110


def test_all_presets_load_and_say_what_they_are():
    public = ["common-voice", "libri-light", "librispeech", "unsupervised-peoples-speech"]
    ours = ["amortised", "conversations", "demo", "fairness-demo", "laptop", "paper", "transducer-demo", "voices"]
    assert presets() == sorted([*ours, *public])
    for name in presets():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.about
        assert Path(recipe.run).is_absolute()


def test_overrides_reach_their_key_and_no_other():
    recipe = load_recipe(
        "demo", ["student.network.layers=4", "corpus.test_conditions=[clean, room]", "student.sync.eta=0.5"]
    )
    assert recipe.student.network.layers == 4
    assert recipe.corpus.test_conditions == ("clean", "room")
    assert recipe.student.sync.eta == 0.5
    assert recipe.teacher == load_recipe("demo").teacher


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("labelling.k=900", "labelling.k=900 is above hmm.senones="),
        ("labelling={tail: true, k: 600}", "labelling.k=600 keeps all senones; leave out labelling.tail"),
        ("labelling={tail: true, mass_floor: 0.01}", "labelling.mass_floor leaves out senones"),
        ("frontend.high_hz=4100", "use at most 4000"),
        ("student.whole_sub_epochs=99", "above student.sub_epochs"),
        ("cluster.train_workers=[3, 2]", "the least, 3, is above the most, 2"),
        ("student.network.units=0", "student.network.units=0: Input should be greater than 0"),
        ("seed.x=1", "'seed' is a value, not a section"),
        ("frontend.mel=40", "unknown recipe key 'frontend.mel'; did you mean 'mel_bins'?"),
        ("teacher.zzz=1", "known here: network, labeled_passes"),
    ],
)
def test_refusals_name_the_mend(override, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        load_recipe("demo", ["seed=1", override])
    assert "\n" not in str(refused.value)


def test_an_override_of_what_yaml_has_by_an_alias_changes_nothing_else(tmp_path):
    given = "{a: &a {joiner: 7, optimiser: {learning_rate: 0.1}, unlabeled_passes: 0}, b: {<<: *a, joiner: 8}, c: *a}"
    override = "transducers.b.optimiser.learning_rate=0.2"
    (tmp_path / "mine.yaml").write_text(f"transducers: {given}")
    for recipe in (
        load_recipe("demo", [f"transducers={given}", override]),
        load_recipe(str(tmp_path / "mine.yaml"), [override]),
    ):
        rates = {name: each.optimiser.learning_rate for name, each in recipe.transducers.items()}
        assert rates == {"a": 0.1, "b": 0.2, "c": 0.1}
        assert [each.joiner for each in recipe.transducers.values()] == [7, 8, 7]


@pytest.mark.parametrize("objective", ["temperature=2", "kind=cross-entropy"])
def test_a_tail_is_refused_where_the_student_cannot_learn_it(objective):
    with pytest.raises(ValueError, match=r"labelling\.tail is learned by .*kind=soft-cross-entropy without a temp"):
        load_recipe("demo", ["labelling.tail=true", f"student.unlabeled_objective.{objective}"])


def test_file_that_is_no_mapping_or_no_yaml(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("- a\n")
    with pytest.raises(ValueError, match="is not a mapping"):
        load_recipe(str(path))
    path.write_text("1: 2\n")
    with pytest.raises(ValueError, match="is not a mapping of recipe keys"):
        load_recipe(str(path))
    path.write_text("a: [1\n")
    with pytest.raises(ValueError, match="not valid YAML"):
        load_recipe(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"mine\.yaml is not UTF-8 text; convert it"):
        load_recipe(str(path))


def test_a_run_keeps_its_recipe(tmp_path):
    recipe = load_recipe("demo", [f"run={tmp_path}/first", "student.network.layers=4", "student.sync.eta=0.25"])
    save_recipe(recipe)
    assert open_recipe(f"{tmp_path}/first") == recipe
    Path(f"{tmp_path}/first").rename(tmp_path / "second")
    moved = open_recipe(f"{tmp_path}/second")
    assert moved.run == f"{tmp_path}/second"
    assert moved.student == recipe.student
    assert open_recipe(f"{tmp_path}/second", ["student.network.layers=2"]).student.network.layers == 2


def test_recipe_is_frozen():
    recipe = parse_recipe({})
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 2


@pytest.mark.parametrize("preset", presets())
def test_recipe_written_and_read_again_is_the_same_recipe(preset, tmp_path):
    recipe = load_recipe(preset)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    again = load_recipe(str(tmp_path / "recipe.yaml"))
    assert again == recipe
    assert leaves(again) == leaves(recipe)


def test_a_network_of_another_kind_keeps_the_keys_that_both_have(monkeypatch):
    class Wide(NetworkSection):
        kind: Literal["wide"] = "wide"
        width: int = 3

    monkeypatch.setitem(NETWORKS, "wide", Listed(Wide, "nowhere:Wide"))
    dropout = load_recipe("demo").student.network.dropout
    assert load_recipe("demo", ["student.network.kind=wide"]).student.network == Wide(dropout=dropout)
    wide = Wide(dropout=dropout, width=9)
    overrides = ["student.network.kind=wide", "student.network.width=9"]
    for order in (overrides, overrides[::-1]):
        recipe = load_recipe("demo", order)
        assert recipe.student.network == wide
        assert parse_recipe(recipe.model_dump(mode="json")) == recipe
    blstm = load_recipe("demo", ["student.network.kind=blstm"]).student.network
    assert (blstm.kind, blstm.units, blstm.look_ahead) == ("blstm", 192, 0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["student.network.kind=lstmm"], "student.network.kind=lstmm is not known; did you mean 'lstm'?"),
        (["teacher.network.kind=[a]"], "teacher.network.kind=['a'] is not known; use one of lstm, blstm"),
        (["teacher.network.kind=7"], "teacher.network.kind=7 is not known; use one of lstm, blstm"),
        (["teacher.objective.kind=crossentropy"], "teacher.objective.kind=crossentropy is not known; did you mean"),
        (["student.network.layrs=3"], "unknown recipe key 'student.network.layrs'; did you mean 'layers'?"),
        (["student.network={zzz: 3}"], "student.network.zzz'; known here: kind, look_ahead, dropout, layers, units"),
        (["student.network.kind=blstm", "student.network.look_ahead=2"], "student.network.look_ahead=2 is not known"),
        (["student.network=lstm"], "student.network='lstm': Input should be a valid dictionary"),
        (["student.network.look_ahead=32"], "section student: network.look_ahead=32 leaves no target in a chunk of"),
    ],
)
def test_refusals_of_a_network_name_the_mend(overrides, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        load_recipe("demo", overrides)
    assert "\n" not in str(refused.value)


def test_a_part_of_sequence_training_may_be_set_alone() -> None:
    recipe = load_recipe("demo", ["student.sequence.sync.block_slabs=1", "student.sequence.optimiser.name=sgd"])
    assert recipe.student.sequence.sync.strategy == "gtc"
    assert recipe.student.sequence.optimiser.learning_rate == 5e-5
    assert recipe.student.sequence.epochs == 0


def test_an_adversary_is_for_labels_and_bounds_its_weights() -> None:
    kind = "student.labeled_objective.kind=adversarial-cross-entropy"
    objective = load_recipe("demo", [kind, "student.labeled_objective.pretrain_share=0.5"]).student.labeled_objective
    assert (objective.kind, objective.pretrain_share, objective.groups) == ("adversarial-cross-entropy", 0.5, "")
    for overrides, said in (
        (
            ["student.unlabeled_objective.kind=adversarial-cross-entropy"],
            "is for labels; give it as labeled_objective",
        ),
        ([kind, "student.labeled_objective.largest_weight=1"], "largest_weight=1: Input should be greater than 1"),
        (["student.labeled_objective.groups=gender"], "unknown recipe key 'student.labeled_objective.groups'"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)) as refused:
            load_recipe("demo", overrides)
        assert "\n" not in str(refused.value)


def test_smbr_is_no_objective_to_start_with() -> None:
    with pytest.raises(ValueError, match=r"leave the objective and set sequence\.epochs"):
        load_recipe("demo", ["teacher.objective.kind=smbr"])
    with pytest.raises(ValueError, match=r"sequence\.sync\.optimiser_state=correct"):
        load_recipe("demo", ["teacher.sequence.sync.optimiser_state=correct", "teacher.sequence.optimiser.name=sgd"])
