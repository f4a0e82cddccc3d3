"""A study's outcome as Markdown: a page of its own, and a line in the table of all studies."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from ssl_asr.evaluation.error_rates import Reduction
from ssl_asr.report.studies.claims import ORIGIN, claim_line, origin
from ssl_asr.report.studies.tables import table_of
from ssl_asr.studies.claims import ClaimSheet
from ssl_asr.studies.outcome import Compared, Outcome, SystemErrors, SystemFigure
from ssl_asr.studies.verdict import limits_of

TITLE = "# Results: published claims, measured"  # of the table of all studies
_RULE = """\
The 95 % interval is a paired bootstrap over speakers, or over recordings where there are fewer than three speakers,
of the utterances of all seeds together. "Reproduced": the interval is above zero, and the mean over seeds is at least
the criterion. "Partly": the interval is above zero, the mean is below the criterion. "Not": the interval is not
wholly above zero, and ends below the criterion. "Can't tell": it is not wholly above zero, and reaches the criterion.

A criterion below zero allows such a loss: "reproduced" is an interval wholly above it, "not" one wholly below it.
Figures other than word errors come from the stages' reports; their 95 % interval is Student's t over the seeds. Of
one seed there is none, and the verdict is "can't tell".
"Word errors in A, beyond those in B": the reduction in condition A less that in B, in percentage points.
"Exploratory": thought of after the runs. "Against the paper": our hypothesis is the opposite of the published one,
and the verdict is on the criterion beside it. Lines of benchmarks have criteria of their own, on their pages.
"""
_HEAD = ["claim", "less of", "published", "here", "interval", "criterion", "verdict", "study", *ORIGIN]


def study_markdown(outcome: Outcome, picture: str) -> str:
    """The page of one study; `picture` is the file's name."""
    study, made = outcome.study, outcome.provenance
    by_condition = [each for each in outcome.compared if not (each.comparison.figure or each.comparison.conditions)]
    parts = [
        f"# {study.name}: {study.question}\n",
        f"Hypothesis, written before the runs: {study.hypothesis}",
        *([f"Published: {study.paper}"] if study.paper else []),
        "Outcome:\n\n" + "\n".join(f"- {sentence(each)}" for each in outcome.compared),
        f"![{study.name}]({picture})\n",
        _comparisons(outcome.compared),
        *(["## Word error rates\n", _errors(outcome.errors, study.seeds)] if outcome.errors else []),
        *(["## Other figures\n", _figures(outcome.figures, study.seeds)] if outcome.figures else []),
        *(["## Word errors by condition, all seeds together\n"] if by_condition else []),
        *(f"{each.comparison.name}:\n\n{_cells(each.cells)}" for each in by_condition),
        "## How\n",
        f"`{made.command}`, {made.day}, commit {made.commit}, {made.machine}; {made.minutes:.0f} minutes of runs.",
        f"Recipe `{study.recipe}`; {_variants(outcome)}",
        _RULE,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def studies_markdown(outcomes: Iterable[Outcome], sheets: Iterable[ClaimSheet] = ()) -> str:
    """The table of all studies, and of the benchmarks that ask for claims."""
    lines = [_HEAD, ["---", "---", "---", "---:", "---:", "---:", *["---"] * (len(_HEAD) - 6)]]
    lines += [_line(each, outcome) for outcome in outcomes for each in outcome.compared]
    for sheet in sheets:
        lines += [claim_line(each, sheet) for each in sheet.claims]
    how = "With `-o DIR` a study's command writes its page and this table there, a benchmark's with `--results DIR`."
    what = "Fewer word errors, or less of what is named, in percent where no other unit is said, mean over the seeds."
    head = f"{what} {how}"
    return f"{TITLE}\n\n{head}\n\n{table_of(lines)}\n{_RULE}"


def _line(compared: Compared, outcome: Outcome) -> list[str]:
    """Of the table of all studies."""
    comparison, study = compared.comparison, outcome.study
    return [
        comparison.name,
        comparison.what,
        comparison.published or "-",
        *_found(compared),
        f"[{study.name}]({study.name}.md)",
        *origin(outcome.provenance),
    ]


def sentence(compared: Compared) -> str:
    """One plain sentence of what came out."""
    low, high = limits_of(compared.overall)
    comparison, limits = compared.comparison, f" [{_signed(low)}, {_signed(high)}]" if compared.has_interval else ""
    if comparison.beyond:
        here, there = (", ".join(each) for each in (comparison.conditions, comparison.beyond))
        found = f"the reduction in {here} less that in {there} is {_signed(compared.mean)} points{limits}"
    else:
        fewer = "less" if comparison.figure else "fewer"
        found = f"{_signed(compared.mean)} %{limits} {fewer} {comparison.what}"
    asked = f"at least {comparison.at_least:g} {comparison.unit} were asked for"
    verdict = {"reproduced": "reproduced", "partly": "partly reproduced", "not": "not reproduced"}
    told = ", ".join([verdict.get(compared.verdict, compared.verdict), *comparison.remarks])
    return f"{comparison.name}: {told}, {found}; {asked}."


def _found(compared: Compared) -> list[str]:
    """Cells of a table: mean, interval, criterion and verdict."""
    (low, high), comparison = limits_of(compared.overall), compared.comparison
    criterion = f">= {comparison.at_least:g}" + (" points" if comparison.beyond else "")
    remarks = f" ({', '.join(comparison.remarks)})" if comparison.remarks else ""
    verdict = f"{compared.verdict}{remarks}"
    limits = f"{_signed(low)} to {_signed(high)}" if compared.has_interval else "-"
    return [_signed(compared.mean), limits, criterion, verdict]


def _comparisons(compared: Sequence[Compared]) -> str:
    seeds = sorted(compared[0].by_seed)
    lines = [
        ["comparison", "less of", *(f"seed {seed}" for seed in seeds), "mean", "interval", "criterion", "verdict"],
        ["---", "---", *["---:"] * (len(seeds) + 3), "---"],
    ]
    for each in compared:
        lines.append(
            [
                each.comparison.name,
                each.comparison.what,
                *(_signed(each.by_seed[seed]) for seed in seeds),
                *_found(each),
            ]
        )
    return f"Less than the baseline, %:\n\n{table_of(lines)}"


def _figures(figures: Sequence[SystemFigure], seeds: Sequence[int]) -> str:
    lines = [
        ["variant", "system", "figure", *(f"seed {seed}" for seed in seeds)],
        ["---", "---", "---", *["---:"] * len(seeds)],
    ]
    lines += [
        [each.variant, each.system, each.figure.replace("_", " "), *(f"{each.values[seed]:.4g}" for seed in seeds)]
        for each in figures
    ]
    return table_of(lines)


def _errors(errors: Sequence[SystemErrors], seeds: Sequence[int]) -> str:
    lines = [
        ["variant", "system", *(f"seed {seed}" for seed in seeds), "mean", "deviation"],
        ["---", "---", *["---:"] * (len(seeds) + 2)],
    ]
    for each in errors:
        rates = [100 * each.wer[seed] for seed in seeds]
        spread = f"{statistics.stdev(rates):.2f}" if len(rates) > 1 else "-"
        lines.append(
            [each.variant, each.system, *(f"{rate:.1f}" for rate in rates), f"{100 * each.mean:.1f}", spread]
        )
    return table_of(lines)


def _cells(cells: Sequence[Reduction]) -> str:
    lines = [["test speech", "condition", "fewer errors, %", "over recordings"], ["---", "---", "---:", "---:"]]
    lines += [
        [each.set, each.condition, _signed(each.werr), f"{_signed(each.low)} to {_signed(each.high)}"]
        for each in cells
    ]
    return table_of(lines)


def _variants(outcome: Outcome) -> str:
    named = (f"`{name}`: {', '.join(own) or 'as it is'}" for name, own in outcome.study.variants.items())
    overrides = ", ".join(f"`{each}`" for each in outcome.study.overrides)
    common = f"all with {overrides}; " if overrides else ""
    return f"{common}variants {'; '.join(named)}. Seeds {', '.join(map(str, outcome.study.seeds))}."


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}"
