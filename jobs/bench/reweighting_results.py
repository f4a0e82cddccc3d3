"""What the benchmark `reweighting` has found over seeds: a table, figures for programs, and lines of all results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from jobs.bench.accent_trials import FIGURES, Verified
from jobs.bench.reweighting_verdict import Change, changes, verdict_of
from ssl_asr.studies.claims import Claim, ClaimSheet
from ssl_asr.studies.outcome import Provenance
from ssl_asr.studies.verdict import Verdict

NONE, GROUPS = "none", "groups"
PUBLISHED = {  # percent on VoxCeleb; what was before follows from the relative changes
    "relative": {"eer": -7.6, "gap": -17.0, "deviation": -10.0},
    "before": {"eer": 1.17, "gap": 0.70, "deviation": 0.21},
    "after": {"eer": 1.08, "gap": 0.58, "deviation": 0.19},
}
QUESTION = "does reweighting by an adversary lower error rates and gaps of speaker verification?"
Found = Mapping[str, Mapping[int, Verified]]  # by weights and seed


@dataclass(frozen=True)
class Results:
    """By kind of weights: what each seed gave, in the order of `seeds`, and what changed against equal weights."""

    seeds: Sequence[int]
    found: Mapping[str, Sequence[Verified]]
    changed: Mapping[str, Mapping[str, Change]]
    verdicts: Mapping[str, Verdict]

    @property
    def p(self) -> list[float]:
        """Of the gap with equal weights, by seed."""
        return [each.rates.p for each in self.found[NONE]]


def results_of(found: Found, seeds: Sequence[int]) -> Results:
    ordered = {weights: [each[seed] for seed in seeds] for weights, each in found.items()}
    plain = ordered[NONE]
    changed = {weights: changes(each, plain) for weights, each in ordered.items() if weights != NONE}
    p, control = [each.rates.p for each in plain], changed[GROUPS]["gap"]
    verdicts = {weights: verdict_of(each, control, p) for weights, each in changed.items() if weights != GROUPS}
    return Results(seeds, ordered, changed, verdicts)


def table_of(results: Results) -> str:
    p = ", ".join(f"{each:.3f}" for each in results.p)
    dropped = [f"accent dropped: {name}, {why}" for name, why in results.found[NONE][0].dropped.items()]
    lines = [f"{len(results.seeds)} seeds; with equal weights p of the gap is {p}", *dropped]
    lines.append(f"{'weights':<12}{'EER':>30}{'gap':>30}{'deviation':>30}  verdict")
    for weights, each in results.found.items():
        cells = (_cell(each, name, results.changed.get(weights, {}).get(name)) for name in FIGURES)
        verdict = f"  {results.verdicts.get(weights, '')}".rstrip()
        lines.append(f"{weights:<12}" + "".join(f"{cell:>30}" for cell in cells) + verdict)
    lines.append("percent; in brackets points more than with equal weights, and their 95 % interval over talkers")
    return "\n".join(lines)


def _cell(each: Sequence[Verified], name: str, change: Change | None) -> str:
    mean = f"{100 * sum(getattr(one.rates, name) for one in each) / len(each):.1f}"
    if change is None:
        return mean
    limits = (
        "" if change.interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * each for each in change.interval))
    )
    return f"{mean} ({100 * change.mean:+.1f}{limits})"


def as_json(results: Results) -> dict[str, object]:
    changed = {
        weights: {name: _change(one) for name, one in each.items()} for weights, each in results.changed.items()
    }
    by_seed = {
        str(seed): {weights: told(each[place]) for weights, each in results.found.items()}
        for place, seed in enumerate(results.seeds)
    }
    return {"seeds": by_seed, "changes": changed, "published": PUBLISHED, "verdicts": dict(results.verdicts)}


def told(one: Verified) -> dict[str, object]:
    """Of one extractor, in percent, but for p."""
    percents = {name: _percent(getattr(one.rates, name)) for name in FIGURES}
    accents = {name: _percent(rate) for name, rate in one.rates.accents.items()}
    return {**asdict(one.rates), **percents, "accents": accents, "dropped": dict(one.dropped)}


def _change(change: Change) -> dict[str, object]:
    return {
        "points": _percent(change.mean),
        "by seed": [_percent(each) for each in change.seeds],
        "interval": change.interval and [_percent(limit) for limit in change.interval],
        "relative": _percent(change.relative),
        "falls": change.fell,
        "rises": change.rose,
    }


def sheet_of(results: Results, criterion: str, table: str, made: Provenance) -> ClaimSheet:
    """The verdict is of EER, gap and deviation together; the line has the gap, in points as its interval is."""
    details = f"```text\n{table}\n```"
    return ClaimSheet("reweighting", QUESTION, criterion, [*_claims(results)], details, made)


def _claims(results: Results) -> Iterator[Claim]:
    published = f"{-PUBLISHED['relative']['gap']:.0f} %"
    for weights, verdict in results.verdicts.items():
        gap = results.changed[weights]["gap"]
        limits = (
            "-" if gap.interval is None else f"{-100 * gap.interval[1]:+.1f} to {-100 * gap.interval[0]:+.1f} points"
        )
        name = f"an adversary's weights, {weights}, against equal ones"
        what = "the gap between accents in EER"
        found = f"{-100 * gap.mean:+.1f} points ({-100 * gap.relative:+.1f} %)"
        yield Claim(name, what, published, found, limits, "falls in all seeds", verdict)


def _percent(share: float) -> float:
    return round(100 * share, 2)
