"""What the benchmark `cohorts` has found: tables for people, and figures for programs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict

from jobs.bench.cohort_verdicts import (
    FIGURES,
    NAMES,
    PUBLISHED_CHANGES,
    PUBLISHED_GAPS,
    Changes,
    Seen,
    interval_of,
    methods_of,
    verdicts_of,
)
from ssl_asr.adaptation.measures import MAXIMUM, MEAN, VARIANCE


def mitigation_table(seen: Seen) -> str:
    lines = []
    for title, figures in (("accents", (MEAN, MAXIMUM, VARIANCE)), ("regions", FIGURES)):
        lines.append(
            f"relative change, %, on held-out talkers, over the {title}{' found' if title == 'regions' else ''}"
        )
        lines.append(f"{'method':<12}" + "".join(f"{name:>26}" for name in figures))
        for method in methods_of(seen):
            changes = [getattr(each, title) for each in seen.of_method(method)]
            cells = "".join(f"{_range([100 * each[name] for each in changes]):>26}" for name in figures)
            lines.append(f"{NAMES.get(method, method):<12}{cells}")
        lines.append("")
    return "\n".join(lines).rstrip()


def discovery_table(seen: Seen) -> str:
    ways = sorted({name for each in seen.found.values() for name in each})
    lines = [f"{'talkers, cohorts':<32}{'gap %':>24}{'bottom % of words':>24}{'p':>24}{'p within test sets':>24}"]
    for name in ways:
        each = seen.of_way(name)
        within = [one.p_within_sets for one in each if one.p_within_sets is not None]
        cells = (
            _range([100 * one.gap for one in each]),
            _range([100 * one.share for one in each]),
            _range([one.p for one in each], 3),
            _range(within, 3) if within else "-",
        )
        lines.append(f"{name:<32}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def as_json(seen: Seen) -> dict[str, object]:
    """Changes, gaps and shares in percent; a gap is null where the top part of a seed had no error."""
    ways = sorted({name for each in seen.found.values() for name in each})
    return {
        "seeds": list(seen.asked),
        "failed": {str(seed): why for seed, why in seen.failed.items()},
        "mitigation": {NAMES.get(method, method): _method_json(seen, method) for method in methods_of(seen)},
        "discovery": {name: _way_json(seen, name) for name in ways},
        "published": {"mitigation": PUBLISHED_CHANGES, "discovery": PUBLISHED_GAPS},
        "verdicts": verdicts_of(seen),
    }


def _method_json(seen: Seen, method: str) -> dict[str, object]:
    by_seed = {seed: each[method] for seed, each in seen.adapted.items() if method in each}
    interval = interval_of(seen, method)
    told: dict[str, object] = {"variance interval": interval and [_percent(limit) for limit in interval]}
    for kind in ("accents", "regions"):
        changes: dict[int, Changes] = {seed: getattr(each, kind) for seed, each in by_seed.items()}
        names = next(iter(changes.values()))
        means = {name: statistics.fmean(each[name] for each in changes.values()) for name in names}
        rows: dict[str, Changes] = {"mean": means, **{str(seed): each for seed, each in changes.items()}}
        told[kind] = {key: {name: _percent(value) for name, value in row.items()} for key, row in rows.items()}
    return told


def _way_json(seen: Seen, name: str) -> dict[str, object]:
    by_seed = {str(seed): each[name] for seed, each in seen.found.items() if name in each}
    means = {
        figure: statistics.fmean(getattr(one, figure) for one in by_seed.values()) for figure in ("gap", "share")
    }
    rows = {
        seed: {**asdict(one), "gap": _percent(one.gap), "share": _percent(one.share)} for seed, one in by_seed.items()
    }
    return {"mean": {figure: _percent(value) for figure, value in means.items()}, **rows}


def _percent(value: float) -> float | None:
    return round(100 * value, 2) if math.isfinite(value) else None


def _range(values: Sequence[float], digits: int = 1) -> str:
    mean, low, high = statistics.fmean(values), min(values), max(values)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
