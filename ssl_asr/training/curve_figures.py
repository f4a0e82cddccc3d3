"""Figures of a stage's report that are read from a learning curve."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.training.sync.strategy import MEGABYTES_SENT

# Between any two workers, in the time that simulated ones would take side by side, sending and training in turn.
MODELLED_GBIT = 10


def curve_figures(run: str, name: str, parameters: int, simulated_workers: int | None) -> dict[str, float | str]:
    """Of the model `name` with so many parameters: its speed, and the last loss on dev."""
    curve = read_curve(run, name)
    blocks = [record for record in curve if "loss" in record]
    on_dev = [record for record in curve if "dev_loss" in record]
    hours = sum(record["frames"] for record in blocks) * FRAME_SECONDS / 3600
    seconds = sum(record["seconds"] for record in blocks)
    figures: dict[str, float | str] = {
        "parameters": f"{parameters / 1e6:.2f} M",
        "blocks": str(len(blocks)),
        "hours": hours,
        "x_real_time": hours * 3600 / max(seconds, 1e-3),
        **_sent(blocks),
    }
    if simulated_workers is not None:
        sending = float(figures.get(MEGABYTES_SENT, 0)) * 8 / (1000 * MODELLED_GBIT)
        figures["modelled_seconds"] = seconds / simulated_workers + sending
    if on_dev:
        figures["dev_loss"] = on_dev[-1]["dev_loss"]
        if "dev_frame_accuracy" in on_dev[-1]:
            figures["dev_accuracy"] = on_dev[-1]["dev_frame_accuracy"]
    return figures


def _sent(blocks: Sequence[Record]) -> dict[str, float]:
    """What one worker has sent; nothing where blocks of a former version do not tell."""
    if not blocks or not all(MEGABYTES_SENT in record for record in blocks):
        return {}
    return {MEGABYTES_SENT: sum(record[MEGABYTES_SENT] for record in blocks)}
