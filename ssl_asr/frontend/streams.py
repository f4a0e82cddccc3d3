"""What carries from utterance to utterance of a speaker: the energy floor, then the running mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.energy_floor import floor_of
from ssl_asr.frontend.extract import ExtractedUtterance, Frames
from ssl_asr.frontend.running_mean import mean_of
from ssl_asr.recipe import Frontend

Step = Callable[[Frames], Frames]


def normalise(
    extracted: Sequence[ExtractedUtterance],
    prior_mean: npt.NDArray[np.floating],
    prior_level: float,
    frontend: Frontend,
) -> list[ExtractedUtterance]:
    """The same utterances, in the given order, above their floors and minus the running means of their streams."""
    return subtract_means(raise_floors(extracted, prior_level, frontend), prior_mean, frontend)


def raise_floors(
    extracted: Sequence[ExtractedUtterance], prior_level: float, frontend: Frontend
) -> list[ExtractedUtterance]:
    """The same utterances, in the given order, with all energies above the floors of their streams."""
    return _along(extracted, lambda: floor_of(prior_level, frontend).raise_to)


def subtract_means(
    extracted: Sequence[ExtractedUtterance], prior: npt.NDArray[np.floating], frontend: Frontend
) -> list[ExtractedUtterance]:
    """The same utterances, in the given order, minus the running means of their streams, from `prior` [mel bins]."""
    return _along(extracted, lambda: mean_of(prior, frontend).subtract)


def _along(extracted: Sequence[ExtractedUtterance], begin: Callable[[], Step]) -> list[ExtractedUtterance]:
    """A stream is one speaker in one condition, in the order of `Utterance.order`; `begin` makes its first step."""
    streams: dict[tuple[str, str], Step] = {}
    result = list(extracted)
    for index in sorted(range(len(extracted)), key=lambda index: extracted[index].utterance.order):
        item = extracted[index]
        stream = (item.utterance.speaker, item.utterance.condition)
        if stream not in streams:
            streams[stream] = begin()
        result[index] = ExtractedUtterance(item.utterance, streams[stream](item.frames))
    return result
