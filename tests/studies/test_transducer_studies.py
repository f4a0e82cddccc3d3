"""The studies of transducers, with networks of a few units on a made-up run: each is trained, scored and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ssl_asr.cli import commands
from ssl_asr.cli.main import OK, main
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.planning.compute import transducer_network
from ssl_asr.recipe import Recipe, SeparatorNetwork, TransformerNetwork
from ssl_asr.studies.study import read_study, recipe_of
from ssl_asr.training.transducer.stage import run_transducers
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training

SMALL = {
    "conv-rnnt": {"layers": 1, "units": 6, "projection": 5, "local_channels": [2], "width": 6, "global_blocks": 1},
    "projected-lstm": {"layers": 1, "units": 6, "projection": 5},
    "transformer": {"layers": 2, "heads": 2, "width": 8, "feed_forward": 8},
    "separator": {"units": 6, "width": 5},
}


def recipes_of(name: str) -> dict[str, Recipe]:
    """By variant."""
    ours = read_study(name)
    return {variant: recipe_of(ours, variant, 1, "/nowhere") for variant in ours.variants}


def shrunk(recipe: Recipe) -> list[str]:
    """Overrides that leave of each transducer what makes it differ from the others."""
    found = ["hypotheses.teacher=null"]
    for name, each in recipe.transducers.items():
        sizes = {f"network.{key}": value for key, value in SMALL[each.network.kind].items()}
        sizes |= {"joiner": 8, "word_pieces": 12, "predictor.units": 8, "sub_epochs": 2, "search.beam": 2}
        found += [f"transducers.{name}.{key}={value}" for key, value in sizes.items()]
        found += [f'transducers.{name}.encoder_from=""', f"transducers.{name}.senone_passes=0"]
    return found


@pytest.mark.parametrize("name", ["convrnnt", "amortised", "separator"])
def test_every_variant_is_trained_scored_and_compared(
    name: str, finished_run: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study's own transducers and comparisons, in place of its recipe a run that is there."""

    def run_here(recipe: Recipe) -> None:
        shutil.copytree(finished_run.run, recipe.run, dirs_exist_ok=True)
        with placed_here(), simulated_training():
            run_transducers(recipe)
            run_evaluate(recipe)

    monkeypatch.setattr(commands, "run_all", run_here)
    values = read_study(name).model_dump(mode="json")
    # Of conversations of one turn each, no count may be wrong, and nothing is in percent of that.
    compared = [each for each in values["comparisons"] if each["figure"] != "turn_count_errors"]
    values |= {"recipe": finished_run.run, "seeds": [1], "comparisons": compared}
    asked = next(iter(recipes_of(name).values())).model_dump(mode="json")
    asked = {"transducers": asked["transducers"], "evaluate.conversations": asked["evaluate"]["conversations"]}
    values["overrides"] = [f"{key}={json.dumps(value)}" for key, value in asked.items()]
    for variant, recipe in recipes_of(name).items():
        kept = [each for each in values["variants"][variant] if each.startswith("transducers.")]
        values["variants"][variant] = [*kept, *shrunk(recipe)]
    study = tmp_path / f"{name}.yaml"
    study.write_text(yaml.safe_dump(values, sort_keys=False))
    out = tmp_path / "results"
    assert main(["experiment", str(study), "--runs", str(tmp_path / "runs"), "-o", str(out)]) == OK
    outcome = json.loads((out / f"{name}.json").read_text())
    assert [each["comparison"] for each in outcome["compared"]] == compared
    assert outcome["provenance"]["command"] == f"ssl-asr experiment {study} --seeds 1"
    runs = [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    assert len(runs) == len(values["variants"])
    if name == "separator":
        (found,) = (read_results(str(run)) for run in runs)
        rates = {each.row.system: each.row.wer for each in found.conversations}
        del rates["two-channels"]  # which is not compared
        assert {each["system"]: each["wer"]["1"] for each in outcome["errors"]} == rates
        figures = json.loads((runs[0] / "stages" / "evaluate.json").read_text())["figures"]
        accuracy = {each.row.system: each.counts.accuracy or 0.0 for each in found.conversations}
        assert {
            f"{system}_turn_count_errors": 1 - share for system, share in accuracy.items()
        }.items() <= figures.items()
        times = {f"{each.row.system}_real_time_factor": each.real_time_factor for each in found.conversations}
        assert times.items() <= figures.items()
        assert None not in times.values()
    if name == "amortised":
        (found,) = (read_results(str(run)) for run in runs)
        flops = {each.name: each.compute.flops / 1e6 for each in found.transducers if each.compute is not None}
        del flops["base"]  # which is not compared
        counted = {each["system"]: each["values"]["1"] for each in outcome["figures"]}
        assert counted == flops
        assert (out / "amortised.png").stat().st_size > 20_000


def test_convrnnt_is_compared_with_as_many_parameters_and_with_as_many_flops() -> None:
    recipe = recipes_of("convrnnt")["all"]
    sizes = {name: transducer_network(recipe, each) for name, each in recipe.transducers.items()}
    conv = sizes.pop("conv")
    assert sizes["equal-parameters"].parameters == pytest.approx(conv.parameters, rel=0.01)
    assert sizes["equal-flops"].multiply_adds == pytest.approx(conv.multiply_adds, rel=0.01)
    assert conv.multiply_adds > 2.5 * sizes["equal-parameters"].multiply_adds
    assert sizes["equal-flops"].parameters > 2.5 * conv.parameters
    alike = [each.model_copy(update={"network": None}) for each in recipe.transducers.values()]
    assert all(each == alike[0] for each in alike)
    assert alike[0].senone_passes


def test_amortised_compares_one_network_with_and_without_gates() -> None:
    transducers = dict(recipes_of("amortised")["all"].transducers)
    assert transducers.pop("base").encoder_from == "student"
    assert len({(each.start_from, each.sub_epochs) for each in transducers.values()}) == 1
    networks = {name: each.network for name, each in transducers.items()}
    full = networks["full"]
    for name, network in networks.items():
        assert isinstance(network, TransformerNetwork)
        assert network.model_copy(update={"gating": None, "left_context": None}) == full
        assert (network.left_context is not None) == (name == "window")
        assert (network.gating is not None) == (name not in ("full", "window"))
        assert transducers[name].start_from == "base"
        if network.gating is not None and name.startswith("random-"):
            assert network.gating.flops_of == name.removeprefix("random-")
    gatings = [gating for network in networks.values() if (gating := getattr(network, "gating", None)) is not None]
    assert len({(each.begin, each.end, each.feed_forward, each.queries, each.keys) for each in gatings}) == 1
    betas = [each.beta for each in gatings if each.arbitrator != "random"]
    assert betas == sorted(betas)
    assert len({*betas}) == len(betas) == len(gatings) - len(betas) == 2


def test_amortised_draws_all_its_transducers_over_their_flops() -> None:
    study = read_study("amortised")
    assert study.compute_curve is not None
    transducers = {*recipes_of("amortised")["all"].transducers} - {"base"}
    assert sorted(study.compute_curve.systems()) == sorted(f"all/{name}" for name in transducers)


def test_separators_learn_channels_together_and_then_each_learns_one_thing_more() -> None:
    transducers = dict(recipes_of("separator")["all"].transducers)
    one, two = transducers.pop("one-talker"), transducers.pop("two-channels")
    assert isinstance(one.network, SeparatorNetwork)
    assert one.conversations is not None
    assert two.conversations is not None
    assert (one.network.channels, one.conversations.turns, one.conversations.marks) == (1, (1, 1), "none")
    assert one.senone_passes >= 6
    assert one.sub_epochs * one.labeled_passes >= 6
    assert (two.start_from, two.conversations.marks) == ("one-talker", "none")
    assert two.sub_epochs * two.labeled_passes >= 12
    learned = {
        name: (each.conversations.marks, each.fast_emit, each.conversations.masking)
        for name, each in transducers.items()
        if each.conversations is not None
    }
    assert learned == {
        "change": ("change", 0, 0),
        "marked": ("start-end", 0, 0),
        "fast": ("start-end", 0.005, 0),
        "masked": ("start-end", 0.005, 0.1),
    }
    for each in transducers.values():
        assert isinstance(each.network, SeparatorNetwork)
        assert (each.start_from, each.network.channels) == ("two-channels", 2)
