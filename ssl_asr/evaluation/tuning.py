"""Choice of the acoustic scale kappa, on the dev split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from ssl_asr.evaluation.scoring import Edits, ScoredUtterance


def best_kappa(dev: Mapping[float, Sequence[ScoredUtterance]]) -> float:
    """The scale with the lowest word error rate; of equals the smallest, so that order does not matter."""
    errors = {kappa: reduce(Edits.__add__, (each.edits for each in scored), Edits()) for kappa, scored in dev.items()}
    return min(errors, key=lambda kappa: (errors[kappa].word_error_rate, kappa))


def describe_kappa(kappa: float, tried: Sequence[float]) -> str:
    """kappa as text; marked if it is the least or the most tried, as the best may be outside the tried range."""
    beyond = {min(tried): "least tried", max(tried): "most tried"} if len(tried) > 2 else {}
    return f"{kappa:g} ({beyond[kappa]})" if kappa in beyond else f"{kappa:g}"
