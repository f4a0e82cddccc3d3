"""Plots of the tuning on dev: word error rate against the scale of the acoustic score, and against the prior's."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.ticker import NullFormatter, NullLocator

from ssl_asr.evaluation.results import Results, TuningPoint
from ssl_asr.models.systems import TITLES
from ssl_asr.report.svg import COLOUR, drawn


def tuning_curves(results: Results) -> list[str]:
    """Against kappa, with the chosen prior scale; where several prior scales were tried, against these too.

    A diamond marks the choice.
    """
    if not results.tuning:
        return []
    several = len({each.prior_scale for each in results.tuning}) > 1
    return [_curve(results, "kappa"), *([_curve(results, "prior_scale")] if several else [])]


def _curve(results: Results, along: str) -> str:
    with drawn(f"dev-{along}", 5.6, 3.2) as (figure, axes, out):
        axis = axes[0]
        for system in results.kappa:
            points = [each for each in results.tuning if each.system == system]
            if along == "kappa":
                points = [each for each in points if each.prior_scale == results.prior_scale[system]]
            rates = _lowest(points, along)
            axis.plot([*rates], [*rates.values()], "o-", color=COLOUR[system], markersize=3.5, label=TITLES[system])
            chosen = getattr(results, along)[system]
            axis.plot(chosen, rates[chosen], "D", color=COLOUR[system], markersize=8)
        if along == "kappa":
            axis.set_xscale("log")
            tried = sorted({each.kappa for each in results.tuning})
            axis.set_xticks(tried, [f"{kappa:g}" for kappa in tried], rotation=35 if len(tried) > 6 else 0)
            axis.xaxis.set_minor_locator(NullLocator())
            axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("acoustic scale" if along == "kappa" else "prior scale")
        axis.set_ylabel("word error rate on dev, %")
        figure.legend(loc="outside upper left", ncols=4, handlelength=1)
    return out[0]


def _lowest(points: Sequence[TuningPoint], along: str) -> dict[float, float]:
    """Lowest word error rate in percent by the value `along`, in order."""
    rates: dict[float, float] = {}
    for each in points:
        value = getattr(each, along)
        rates[value] = min(100 * each.wer, rates.get(value, float("inf")))
    return dict(sorted(rates.items()))
