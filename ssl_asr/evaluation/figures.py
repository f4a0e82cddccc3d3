"""What the evaluate stage tells of its results: the figures of its report, some of which studies compare."""

from __future__ import annotations

from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.table import share_text
from ssl_asr.models.systems import BASELINE_SHORT, TITLES


def figures_of(results: Results) -> dict[str, float | str]:
    head = results.headline
    figures: dict[str, float | str] = {
        f"wer_{name}": f"{results.row(name, head).wer:.1%}" for name in results.systems
    }
    gain = results.reduction(head)
    figures["werr"] = f"{gain.werr:.1%} [{gain.low:.1%}, {gain.high:.1%}]"
    if gain.topline_share is not None:
        figures["share_of_topline"] = share_text(gain.topline_share)
    if head != ALL:
        figures = {"tested_on": head, **figures, "werr_of_everything": f"{results.reduction().werr:.1%}"}
    figures["kappa"] = " / ".join(map(results.scale, results.kappa))
    if BASELINE_SHORT in results.kappa:
        figures["baseline"] = TITLES[results.baseline_model]
    figures |= _transducer_figures(results)
    figures["decoding_x_real_time"] = results.decode_x_real_time
    return figures


def _transducer_figures(results: Results) -> dict[str, float | str]:
    """Studies compare the numbers among them: FLOPs of encoders, time, and the share of wrong turn counts."""
    figures: dict[str, float | str] = {}
    for transducer in results.transducers:
        figures[f"wer_{transducer.name}"] = f"{results.transducer_row(transducer.name, results.headline).wer:.1%}"
        if transducer.compute is not None:
            figures[f"{transducer.name}_mflops_per_frame"] = transducer.compute.flops / 1e6
        if transducer.real_time_factor is not None:
            figures[f"{transducer.name}_real_time_factor"] = transducer.real_time_factor
    for each in results.conversations:
        name, accuracy = each.row.system, each.counts.accuracy
        figures[f"orc_wer_{name}"] = f"{each.row.wer:.1%}"
        if accuracy is not None:
            figures[f"{name}_turn_count_errors"] = 1 - accuracy
        if each.real_time_factor is not None:
            figures[f"{name}_real_time_factor"] = each.real_time_factor
    return figures
