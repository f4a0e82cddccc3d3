"""What dev decides before test is decoded: the scales of every model, and which of two baselines counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slabs import Slab, System
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.error_rates import ALL, WordErrors
from ssl_asr.evaluation.results import TuningPoint
from ssl_asr.evaluation.slab_tasks import Pieces, read_decoded, tune
from ssl_asr.evaluation.summary import score, word_error_rate, word_errors
from ssl_asr.evaluation.tuning import Grid, Tried, best_scales, is_at_bound
from ssl_asr.models.systems import BASELINE, BASELINES, SMBR_BASELINES, smbr_name
from ssl_asr.recipe import Recipe
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class Decisions:
    """`scales` by model, among those `tried`; `errors` are those on all of dev with them, by condition."""

    scales: Mapping[str, Scales]
    tried: Mapping[str, Tried]
    errors: Sequence[WordErrors]
    at_bound: Sequence[str]
    pieces: Pieces

    @property
    def tested(self) -> dict[str, str]:
        """The model of each system that is tested; the baseline comes first."""
        tested = {}
        for name in self.scales:
            if name in BASELINES:
                tested[BASELINE] = self._better(BASELINES)
            elif name in SMBR_BASELINES:
                tested[smbr_name(BASELINE)] = self._better(SMBR_BASELINES)
            else:
                tested[name] = name
        return tested

    def _better(self, names: Sequence[str]) -> str:
        """The one with fewer errors on dev, each with its best scales; of equals the first."""
        known = [name for name in names if name in self.scales]
        return min(known, key=lambda name: self.tried[name][self.scales[name]])

    def points(self) -> list[TuningPoint]:
        return [
            TuningPoint(name, each.kappa, each.prior, rate)
            for name, rates in self.tried.items()
            for each, rate in sorted(rates.items())
        ]


def decide(
    recipe: Recipe, systems: Sequence[System], dev: Sequence[Slab], utterances: Mapping[str, Utterance]
) -> Decisions:
    grid = Grid(recipe.evaluate.kappas, recipe.evaluate.prior_scales)
    tried, pieces = tune(systems, dev, grid, lambda decoded: word_error_rate(score(utterances, decoded)))
    scales = {name: best_scales(rates, grid) for name, rates in tried.items()}
    scored = {each.name: score(utterances, read_decoded(each, dev, scales[each.name])) for each in systems}
    errors = word_errors(scored, Draws(recipe.evaluate.bootstrap, recipe.seed))
    pooled = [row for row in errors if row.set == ALL]
    return Decisions(scales, tried, pooled, [name for name in scales if is_at_bound(scales[name], grid)], pieces)
