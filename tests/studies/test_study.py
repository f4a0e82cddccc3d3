"""Our studies are valid with their recipes; a study with a mistake is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ssl_asr.studies.study import Comparison, known_studies, read_study, recipe_of, with_recipe
from tests.studies.made_up import study, with_curve


@pytest.mark.parametrize("name", known_studies())
def test_ours_have_valid_recipes_and_differ_by_variant(name: str, tmp_path: Path) -> None:
    ours = read_study(name)
    assert ours.name == name
    assert len(ours.seeds) == 3
    recipes = [recipe_of(ours, variant, 1, str(tmp_path)) for variant in ours.variants]
    assert len({each.model_dump_json() for each in recipes}) == len(recipes)


@pytest.mark.parametrize("strategy", ["gtc", "bmuf"])
def test_study_trainer_asks_for_accuracy_in_frames_and_words_bytes_and_time(strategy: str) -> None:
    ours = [each for each in read_study("trainer").comparisons if each.candidate.startswith((strategy, "long"))]
    asked = {each.figure for each in ours if strategy in each.candidate or each.figure == "megabytes_sent"}
    assert asked == {"", "dev_loss", "megabytes_sent", "modelled_seconds"}


def test_study_noise_compares_with_the_teacher_as_published() -> None:
    """Mosner et al. (2019) give their figures against the teacher; other baselines have none beside them."""
    published = {each.baseline: each.published for each in read_study("noise").comparisons if "%" in each.published}
    assert {*published} == {"parallel/teacher"}


def test_overrides_of_all_runs_come_after_a_variants_own(tmp_path: Path) -> None:
    found = recipe_of(study(), "old", 7, str(tmp_path), ["student.order=blocks", "corpus.dev_minutes=3"])
    assert (found.seed, found.student.order, found.corpus.dev_minutes) == (7, "blocks", 3)


def test_overrides_of_the_study_come_before_a_variants_own(tmp_path: Path) -> None:
    common = study().model_copy(update={"overrides": ("student.order=blocks", "corpus.dev_minutes=3")})
    found = {name: recipe_of(common, name, 1, str(tmp_path)) for name in common.variants}
    assert {name: each.student.order for name, each in found.items()} == {"old": "segregated", "new": "blocks"}
    assert {each.corpus.dev_minutes for each in found.values()} == {3}


def test_with_another_recipe_it_has_another_name() -> None:
    found = with_recipe(study(), "/somewhere/My_voices.v2.yaml")
    assert (found.name, found.recipe) == ("order-my-voices-v2", "/somewhere/My_voices.v2.yaml")
    assert found.model_copy(update={"name": "order", "recipe": "demo"}) == study()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seeds": [1, 1]}, "a seed is there twice in [1, 1]; every seed is one run of each variant"),
        ({"variants": {"other": []}}, "'new against old' compares 'old'; variants are other"),
        ({"variants": {}}, "variants: Dictionary should have at least 1 item after validation, not 0"),
        ({"nam": "x"}, "nam: Extra inputs are not permitted"),
        ({"name": "Or/der"}, "name: String should match pattern"),
    ],
)
def test_a_mistake_is_told_with_the_file(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**study().model_dump(mode="json"), **change}))
    with pytest.raises(ValueError, match=r"mine\.yaml: ") as refusal:
        read_study(str(path))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["old/student", "new/student"])
def test_a_curve_is_of_systems_whose_errors_and_flops_are_compared(tmp_path: Path, missing: str) -> None:
    values = with_curve().study.model_dump(mode="json")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    assert read_study(str(path)) == with_curve().study
    flops = values["comparisons"][1]
    for key in ("baseline", "candidate"):
        flops[key] = flops[key].replace(missing, "other/student")
    values["variants"]["other"] = []
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(ValueError, match=f"compute_curve draws '{missing}', and no comparisons have both"):
        read_study(str(path))


def test_a_system_without_a_variant_is_told(tmp_path: Path) -> None:
    values = study().model_dump(mode="json")
    values["comparisons"][0]["candidate"] = "student"
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    with pytest.raises(ValueError, match="'student' names no system; write VARIANT/SYSTEM, for example all/student"):
        read_study(str(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"figure": "dev_loss", "conditions": ["clean"]}, "conditions and beyond are of word errors alone"),
        ({"beyond": ["clean"]}, "names conditions in beyond alone; name others in conditions"),
        (
            {"conditions": ["room", "clean"], "beyond": ["clean"]},
            "has clean in conditions and in beyond; name it in one",
        ),
    ],
)
def test_conditions_are_of_word_errors_and_have_others_to_go_beyond(change: dict[str, object], sentence: str) -> None:
    compared = study().comparisons[0].model_dump() | change
    with pytest.raises(ValueError, match=sentence):
        Comparison(**compared)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "mine.yaml is not valid YAML: "),
        ("- a", "mine.yaml is not a mapping of the keys of a study"),
        ("1: 2", "mine.yaml is not a mapping of the keys of a study"),
    ],
)
def test_what_is_no_study_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_study(str(tmp_path / "mine.yaml"))


def test_an_unknown_study_is_told_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match="there is no study 'scheduel', neither a file nor one of ours; try schedule"
    ):
        read_study("scheduel")
