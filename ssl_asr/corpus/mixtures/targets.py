"""What a network learns from a mixture: texts with marks of the turns, and when each channel is active.

`<sot>` and `<eot>` are the start and the end of a turn (Sklyar et al. 2022). `<cot>`, a change of turn, is the older
mark that they are compared with (Sklyar et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.mixtures.turns import Turn, in_order

START, END, CHANGE = "<sot>", "<eot>", "<cot>"


def marked_texts(channels: Sequence[Sequence[Turn]]) -> tuple[str, ...]:
    """The text of each channel, its turns by start between `<sot>` and `<eot>`: "a b <eot> <sot> c <eot>".

    The first `<sot>` and the last `<eot>` of the mixture are left out, for no silence precedes or follows them.
    """
    everything = [turn for turns in channels for turn in turns]
    first = min(everything, key=lambda turn: turn.start, default=None)
    last = max(everything, key=lambda turn: turn.end, default=None)
    return tuple(
        " ".join(_marked(turn, start=turn != first, end=turn != last) for turn in turns) for turns in channels
    )


def _marked(turn: Turn, *, start: bool, end: bool) -> str:
    parts = (START if start else "", turn.text, END if end else "")
    return " ".join(part for part in parts if part)


def changed_text(turns: Sequence[Turn]) -> str:
    """The text of the turns of one channel, or of all turns for a network of one channel, by start: "a b <cot> c"."""
    return f" {CHANGE} ".join(turn.text for turn in in_order(turns))


def active_frames(
    channels: Sequence[Sequence[Turn]], frames: int, *, frame_seconds: float, sample_rate: int
) -> npt.NDArray[np.bool_]:
    """Bool [channels, frames]: whether any of the samples of a frame belongs to a turn of the channel.

    Frame t has the samples from t to t + 1 times `frame_seconds`. A turn may begin before the first frame
    and end after the last.
    """
    size = round(frame_seconds * sample_rate)
    active = np.zeros((len(channels), frames), bool)
    for row, turns in zip(active, channels, strict=True):
        for turn in turns:
            row[max(turn.start, 0) // size : -(-turn.end // size)] = True
    return active
