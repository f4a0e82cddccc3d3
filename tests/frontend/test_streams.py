"""Streams of speakers: order, separation, causality."""

from __future__ import annotations

import numpy as np

from ssl_asr.frontend.energy_floor import EnergyFloor
from ssl_asr.frontend.extract import ExtractedUtterance
from ssl_asr.frontend.running_mean import RunningMean
from ssl_asr.frontend.streams import normalise
from ssl_asr.recipe import Frontend
from ssl_asr.store.utterance import Utterance

FRONTEND = Frontend(sample_rate=8000, high_hz=3900, mel_bins=3)
PRIOR, LEVEL = np.array([1.0, 2.0, 3.0]), 4.0


def heard(name: str, speaker: str, order: int, condition: str = "clean") -> ExtractedUtterance:
    frames = np.random.default_rng(order).standard_normal((20 + order, 3)).astype(np.float32)
    return ExtractedUtterance(Utterance(name, "none.wav", speaker, order, 1.0, condition=condition), frames)


def one_stream(*items: ExtractedUtterance) -> list[np.ndarray]:
    floor, mean = EnergyFloor(LEVEL, FRONTEND.energy_range_nats, 12000), RunningMean(PRIOR, 100, 12000)
    return [mean.subtract(floor.raise_to(item.frames)) for item in items]


def test_a_stream_follows_the_speakers_order_whatever_the_order_of_rows() -> None:
    first, second, third = heard("a", "ada", 1), heard("b", "ada", 2), heard("c", "ada", 3)
    means = dict(zip("abc", one_stream(first, second, third), strict=True))
    shuffled = normalise([third, first, second], PRIOR, LEVEL, FRONTEND)
    assert [item.utterance.id for item in shuffled] == ["c", "a", "b"]
    for item in shuffled:
        np.testing.assert_array_equal(item.frames, means[item.utterance.id])


def test_speakers_and_conditions_do_not_mix() -> None:
    rows = [heard("a", "ada", 1), heard("b", "bob", 2), heard("c", "ada", 3, "room"), heard("d", "ada", 4)]
    result = {item.utterance.id: item.frames for item in normalise(rows, PRIOR, LEVEL, FRONTEND)}
    alone = dict(zip("ad", one_stream(rows[0], rows[3]), strict=True))
    alone |= {"b": one_stream(rows[1])[0], "c": one_stream(rows[2])[0]}
    for name, frames in alone.items():
        np.testing.assert_array_equal(result[name], frames)


def test_a_later_utterance_changes_no_earlier_one() -> None:
    rows = [heard("a", "ada", 1), heard("b", "ada", 2)]
    louder = [rows[0], ExtractedUtterance(rows[1].utterance, rows[1].frames + 50)]
    before, after = normalise(rows, PRIOR, LEVEL, FRONTEND), normalise(louder, PRIOR, LEVEL, FRONTEND)
    np.testing.assert_array_equal(before[0].frames, after[0].frames)
