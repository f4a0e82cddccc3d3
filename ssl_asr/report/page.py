"""The report's page: makes one self-contained HTML file from the evidence."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from ssl_asr.adaptation.found import note_of
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.table import baseline_note, share_text
from ssl_asr.evaluation.transducer_tables import transducer_tables
from ssl_asr.evaluation.word_quality import WordQuality
from ssl_asr.models.systems import BASELINE_SHORT, STUDENT, TEACHER, TITLES, trained
from ssl_asr.progress import clock
from ssl_asr.report import plots
from ssl_asr.report.corpus import CorpusRow
from ssl_asr.report.errors.clips import NO_CLIPS, Clips
from ssl_asr.report.evidence import Evidence
from ssl_asr.report.fairness import fairness_tables
from ssl_asr.report.gate_plot import Gated, draw
from ssl_asr.report.reliability import reliability
from ssl_asr.report.stage_lines import stage_lines
from ssl_asr.report.templates import fill
from ssl_asr.report.tuning_plot import tuning_curves
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.store.utterance import CLEAN


@dataclass(frozen=True)
class GateFigure:
    """What one network ran, as a PNG in base64; `share` of the FLOPs of all its modules."""

    name: str
    learned: bool
    share: float
    png: str


def render(evidence: Evidence, clips: Clips = NO_CLIPS) -> str:
    """The HTML of the report."""
    return fill(
        "page.html",
        evidence=evidence,
        analysis=evidence.errors,
        clips=clips,
        recipe=evidence.recipe,
        results=evidence.results,
        summary=summary(evidence),
        titles=TITLES,
        models=trained(evidence.recipe),
        share_text=share_text,
        fairness_tables=fairness_tables(evidence.recipe, evidence.found),
        fairness_note=note_of(evidence.found),
        all=ALL,
        curves=[(name, Markup(plots.learning_curve(curve))) for name, curve in evidence.curves.items()],
        gates=[_gate_figure(name, each) for name, each in evidence.gates.models.items()] if evidence.gates else [],
        corpus_totals=_corpus_totals(evidence.corpus),
        stages=stage_lines(evidence),
        total_time=clock(sum(report.seconds for name, report in evidence.stages.items() if name != "report")),
        rejects=evidence.rejects,
        **_results_values(evidence.results),
        **_target_values(evidence),
        **_word_values(evidence.words),
    )


def _results_values(results: Results | None) -> dict[str, Any]:
    """What the page needs of the word error rates; all of it is empty where there are none."""
    sets = _sets(results) if results else []
    return {
        "sets": sets,
        "systems": [(name, TITLES[name]) for name in results.systems] if results else [],
        "baseline_note": baseline_note(results) if results and BASELINE_SHORT in results.kappa else "",
        "transducer_tables": transducer_tables(results) if results else [],
        "bars": {name: Markup(plots.wer_bars(results, name)) for name in sets} if results else {},
        "forest": Markup(plots.werr_forest(results)) if results else "",
        "tuning": [Markup(svg) for svg in tuning_curves(results)] if results else [],
    }


def _target_values(evidence: Evidence) -> dict[str, Any]:
    """Of the teachers' labels; empty where there are none."""
    targets, calibration = evidence.targets, evidence.calibration
    drawn = plots.target_histograms(targets, evidence.recipe.labelling.k) if targets else []
    return {
        "histograms": [Markup(svg) for svg in drawn],
        "target_means": _target_means(evidence),
        "target_conditions": _target_conditions(evidence),
        "reliability": Markup(reliability(calibration.by_frame.bins, TEACHER)) if calibration else "",
    }


def _word_values(words: Mapping[str, WordQuality]) -> dict[str, Any]:
    """Of the words' confidences by system; empty without lattices."""
    drawn = {name: reliability(each.bins, name, "words", "confidence") for name, each in words.items() if each.words}
    return {"word_quality": words, "word_reliability": {name: Markup(svg) for name, svg in drawn.items()}}


def summary(evidence: Evidence) -> str:
    """One sentence on the result, with its confidence interval."""
    results = evidence.results
    if results is None:
        return "This run has no word error rates yet: ssl-asr evaluate measures them."
    head = results.headline
    gain, words = results.reduction(head), results.row(STUDENT, head).words
    rates = [f"{100 * results.row(system, head).wer:.1f} %" for system in results.compared]
    direction = "fewer" if gain.werr >= 0 else "more"
    where = "" if head == ALL else f" of {head}"
    sentence = (
        f"On {words:,} spoken test words{where} the student that also learned from {_hours(evidence, 'unlabeled')} "
        f"without transcripts made {abs(100 * gain.werr):.1f} % {direction} word errors than the same network "
        f"trained on the {_hours(evidence, 'labeled')} with transcripts alone: {rates[0]} became {rates[1]} "
    )
    interval = f"95 % interval of the reduction {100 * gain.low:.1f} to {100 * gain.high:.1f} %"
    crosses = "; it includes zero, so this run alone does not show a gain" if gain.low <= 0 <= gain.high else ""
    return f"{sentence}({interval}{crosses})."


def _hours(evidence: Evidence, split: str) -> str:
    """Hours of a split as recorded. Degraded copies, which each have a clean recording, are not counted again."""
    rows = [row for row in evidence.corpus if row.split == split]
    rows = [row for row in rows if row.condition == CLEAN] or rows
    return f"{sum(row.hours for row in rows):.1f} h" if rows else "the speech"


def _sets(results: Results) -> list[str]:
    """Everything that has word error rates of its own, with the headline first and the aggregate of all second."""
    sets = dict.fromkeys(each.set for each in results.werr)
    return list(dict.fromkeys([results.headline, ALL, *sets]))


def _target_means(evidence: Evidence) -> dict[str, float]:
    """Means over frames, not over shards."""
    frames = [shard.frames for shard in evidence.targets]
    if not frames:
        return {}
    return {
        name: float(np.average([getattr(shard, name) for shard in evidence.targets], weights=frames))
        for name in ("kept_mass", "entropy_nats", "bytes_per_frame")
    }


def _target_conditions(evidence: Evidence) -> list[dict[str, float | str]]:
    """What was kept of each condition: its name, hours, kept mass and entropy in nats."""
    return [
        {"name": name, "hours": kept.frames * FRAME_SECONDS / 3600, **kept.means()}
        for name, kept in evidence.target_conditions.items()
    ]


def _corpus_totals(rows: tuple[CorpusRow, ...]) -> dict[str, float]:
    return {
        split: sum(row.hours for row in rows if row.split == split)
        for split in dict.fromkeys(row.split for row in rows)
    }


def _gate_figure(name: str, ran: Gated) -> GateFigure:
    return GateFigure(name, ran.learned, ran.share, b64encode(draw(ran)).decode())
