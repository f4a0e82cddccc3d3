"""Compute-amortised Transformers and their baselines in one recipe: trained, recognised and counted in one go."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.stage import run_evaluate
from ssl_asr.evaluation.transducer_tables import format_transducers
from ssl_asr.frontend.stacking import stack
from ssl_asr.models.transformer.encoder import Transformer
from ssl_asr.recipe import Recipe, parse_recipe
from ssl_asr.store import features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.curve import read_curve
from ssl_asr.training.transducer.inputs import transducer_inputs
from ssl_asr.training.transducer.stage import run_transducers, todo_transducers
from ssl_asr.transducer.compute import kept_on
from ssl_asr.transducer.model_files import load_transducer
from tests.in_process import placed_here
from tests.training.simulated_stages import simulated_training
from tests.transducer_run import SMALL

SIZES = {"kind": "transformer", "layers": 2, "heads": 2, "width": 32, "feed_forward": 64, "look_ahead": 1}
# Computing is so dear, and steps so large, that gates of some are closed after few updates.
LEARNED = {"units": 2, "layers": 1, "begin": 0.0, "beta": [100, 100], "feed_forward": True}
OPTIMISER = {"learning_rate": 0.2, "final_learning_rate": 0.2}
GATED = [f"{levels}-{arbitrator}" for levels in ("single", "dual") for arbitrator in ("ff", "lstm")]


def transducer(gating: dict[str, Any] | None = None, **network: Any) -> dict[str, Any]:
    told = {"network": {**SIZES, "gating": gating, **network}, "optimiser": OPTIMISER}
    return {**SMALL, "unlabeled_passes": 0, "search": {"beam": 1}, **told}


def asked(recipe: Recipe, random: dict[str, Any] | None = None) -> Recipe:
    learned = {
        name: transducer({**LEARNED, "levels": name.partition("-")[0], "arbitrator": name.partition("-")[2]})
        for name in GATED
    }
    equal = {"arbitrator": "random", "levels": "single", "feed_forward": True, "flops_of": "dual-ff"}
    transducers = {
        "full": transducer(),
        "window": transducer(left_context=2),
        **learned,
        "random": transducer({**equal, **(random or {})}),
    }
    return parse_recipe(recipe.model_dump(mode="json") | {"transducers": transducers})


def test_each_is_trained_with_beta_and_its_flops_lie_beside_its_word_errors(finished_run: Recipe) -> None:
    recipe = asked(finished_run)
    with placed_here(), simulated_training():
        assert run_transducers(recipe).skipped == 0
        report = run_evaluate(recipe)
    assert todo_transducers(recipe, []) == []
    results = read_results(recipe.run)
    compute = {each.name: each.compute for each in results.transducers if each.compute is not None}
    full, window, random, learned = (compute[name] for name in ("full", "window", "random", "dual-ff"))
    assert full.saved == window.saved == 0
    assert window.flops < full.flops
    assert learned.flops < 0.8 * full.flops
    assert random.flops == pytest.approx(learned.flops, rel=0.1)  # of two utterances, by a rate found on one
    for name in GATED:
        counted, curve = compute[name], read_curve(recipe.run, name)
        shares = [each["compute_share"] for each in curve if "loss" in each]
        assert counted.whole == full.flops
        assert shares[-1] < shares[0] - 0.01  # the chance that a module runs falls
    lines = [line.split() for line in format_transducers(results).splitlines()]
    (line,) = [each for each in lines if each[:2] == ["random", "all"]]
    factor = results.transducers[-1].real_time_factor
    assert f"{factor:.3g}" in line
    assert report.figures["random_real_time_factor"] == factor
    shown = [f"{100 * random.saved:.1f}", f"{100 * (1 - random.flops / full.flops):.1f}"]
    assert line[-6:] == [*shown, f"{100 * random.flops / learned.flops:.1f}", "%", "of", "dual-ff"]
    (line,) = [each for each in lines if each[:2] == ["dual-ff", "all"]]
    assert line[-1] == f"{100 * (1 - learned.flops / full.flops):.1f}", "its FLOPs are its own"


def test_random_gates_follow_the_transducer_that_they_are_measured_by(finished_run: Recipe) -> None:
    recipe = asked(finished_run)
    kept = {name: recipe.transducers[name] for name in ("dual-ff", "random")}
    two = recipe.model_copy(update={"transducers": kept})
    with placed_here(), simulated_training():
        first = run_transducers(two)
        again = run_transducers(two)
    assert again.skipped == again.pieces
    assert again.key == first.key
    assert again.seconds >= first.seconds > 0, "the time that the training took stays"
    rates = keep_rates(two)
    kept = kept_on(load_transducer(model_uri(two.run, "dual-ff"))[0], heard_on_dev(two))
    assert rates == pytest.approx(kept.rates, abs=0.1)
    assert rates != (0.5, 0.5, 0.5)
    assert len({*rates}) == 3
    cheaper = two.transducers["dual-ff"].model_copy(update={"sub_epochs": 1})
    other = two.model_copy(update={"transducers": {**two.transducers, "dual-ff": cheaper}})
    with placed_here(), simulated_training():
        assert run_transducers(other).skipped == 0
    assert keep_rates(other) != rates
    of_chance = ["random gates version" in transducer_inputs(two, name) for name in ("dual-ff", "random")]
    assert of_chance == [False, True]


def heard_on_dev(recipe: Recipe) -> list[torch.Tensor]:
    slabs = ShardStore(recipe.run, features.STORE).read_slabs(Shard("dev", 0))
    rows = [row for slab in slabs for row in features.decode(slab, recipe.frontend.mel_bins)]
    return [torch.from_numpy(stack(row.frames)).float() for row in rows]


def keep_rates(recipe: Recipe) -> tuple[float, float, float]:
    model, _, _ = load_transducer(model_uri(recipe.run, "random"))
    assert isinstance(model.encoder, Transformer)
    gating = model.encoder.section.gating
    assert gating is not None
    assert gating.flops_of == ""
    assert gating.keep_rates is not None
    return gating.keep_rates


@pytest.mark.parametrize(
    ("random", "said"),
    [
        ({"flops_of": "nobody"}, "names no transducer above this one that has gates of its own"),
        ({"flops_of": "full"}, "names no transducer above this one that has gates of its own"),
        ({"arbitrator": "ff"}, "flops_of=dual-ff is for arbitrator=random; learned gates have beta"),
    ],
)
def test_gates_that_nothing_measures_are_refused(finished: Recipe, random: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked(finished, random)


def test_flops_of_another_network_are_refused(finished: Recipe) -> None:
    values = asked(finished).model_dump(mode="json")
    values["transducers"]["random"]["network"]["width"] = 16
    with pytest.raises(ValueError, match="has another network; give both the same, gating and dropout apart"):
        parse_recipe(values)
    values["transducers"] = {}
    values["student"]["network"] = {**SIZES, "gating": {"arbitrator": "random", "flops_of": "rnnt"}}
    with pytest.raises(ValueError, match=r"student\.network\.gating\.flops_of is for transducers alone"):
        parse_recipe(values)
