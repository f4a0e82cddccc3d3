"""Mixtures of real recorded speech: exact to the sample, and decided by content and seed alone."""

import itertools

import numpy as np
import pytest

from ssl_asr.corpus.mixtures.simulation import Mixture, added_up, as_heard, grouped, mixture_of
from ssl_asr.corpus.mixtures.timeline import Speech
from ssl_asr.corpus.mixtures.turns import assign_channels
from ssl_asr.recipe import Mixtures
from tests.corpus.conftest import Clip

RATE = 16000
DRY = Mixtures(room_share=0)


@pytest.fixture(scope="module")
def said(clips: list[Clip]) -> list[Speech]:
    return [Speech(f"u{number}", clip.speaker, clip.text, clip.samples) for number, clip in enumerate(clips)]


def made(said: list[Speech], mixtures: Mixtures, seed: int) -> list[Mixture]:
    groups = grouped(said, mixtures.turns, seed)
    found = (mixture_of(group, mixtures, sample_rate=RATE, seed=seed) for group in groups)
    return [each for each in found if each is not None]


def same(one: list[Mixture], other: list[Mixture]) -> bool:
    return [(each.id, each.turns, each.samples.tobytes()) for each in one] == [
        (each.id, each.turns, each.samples.tobytes()) for each in other
    ]


def alone(mixture: Mixture, number: int) -> slice:
    """The samples of a turn during which nobody else speaks."""
    turn = mixture.turns[number]
    begin = max([turn.start, *(each.end for each in mixture.turns[:number])])
    return slice(begin, min([turn.end, *(each.start for each in mixture.turns[number + 1 :])]))


@pytest.mark.parametrize("seed", range(4))
def test_turns_at_their_times_and_levels_add_up_to_the_mixture(said, seed):
    of_id = {each.id: each.samples for each in said}
    for mixture in made(said, DRY, seed):
        rebuilt, powers = np.zeros(len(mixture.samples)), []
        for number, turn in enumerate(mixture.turns):
            source, place = of_id[turn.id].astype(np.float64), alone(mixture, number)
            part = source[place.start - turn.start : place.stop - turn.start]
            loudest = np.abs(part).argmax()
            gain = mixture.samples[place][loudest] / part[loudest]
            rebuilt[turn.start : turn.end] += gain * source
            powers.append(gain**2 * np.mean(source**2))
        np.testing.assert_allclose(mixture.samples, rebuilt, atol=2e-6)
        levels = 10 * np.log10(np.array(powers) / powers[0])
        assert np.abs(levels).max() <= 5
        assert mixture.samples.dtype == np.float32
        assert len(mixture.samples) == max(turn.end for turn in mixture.turns)
        for before, turn in itertools.pairwise(mixture.turns):
            assert not mixture.samples[before.end : turn.start].any()  # a pause


def test_levels_spread_over_all_that_is_allowed(said):
    rng = np.random.default_rng(0)
    heard = [as_heard(said, DRY, sample_rate=RATE, rng=rng) for _ in range(40)]
    levels = np.array([[10 * np.log10(np.mean(each.astype(float) ** 2)) for each in group] for group in heard])
    levels -= levels[:, :1]
    assert -5 <= levels.min() < -4.5
    assert 4.5 < levels.max() <= 5
    np.testing.assert_array_equal(heard[0][0], said[0].samples)


def test_in_a_room_turns_keep_start_and_energy_and_ring_on(said):
    wet = as_heard(said, Mixtures(level_db=0), sample_rate=RATE, rng=np.random.default_rng(3))
    reference = np.mean(said[0].samples.astype(float) ** 2)
    for each, heard in zip(said, wet, strict=True):
        length = len(each.samples)
        assert np.sum(heard.astype(float) ** 2) == pytest.approx(length * reference, rel=1e-3)
        assert 0.2 * RATE < len(heard) - length < 0.8 * RATE
        assert heard[length:].any()
    (mixture,) = made(said, Mixtures(turns=(6, 6)), 1)
    pauses = [mixture.samples[a.end : b.start] for a, b in itertools.pairwise(mixture.turns) if b.start > a.end]
    assert pauses
    assert all(pause[: RATE // 20].any() for pause in pauses)


def test_a_room_does_not_shift_a_turn():
    click = np.zeros(RATE // 10, np.float32)
    click[700] = 1
    clicks = [Speech(f"u{n}", f"s{n}", "a", click) for n in range(5)]
    for seed in range(5):
        for heard in as_heard(clicks, Mixtures(level_db=0), sample_rate=RATE, rng=np.random.default_rng(seed)):
            assert np.abs(heard[:700]).max() < 1e-4
            assert heard[700] > 0.05


def test_the_parts_are_added_sample_by_sample(said):
    (mixture,) = made(said, DRY.model_copy(update={"turns": (6, 6)}), 5)
    waveforms = [np.full(turn.end - turn.start + 50, 2.0**n, np.float32) for n, turn in enumerate(mixture.turns)]
    total = added_up(mixture.turns, waveforms)
    for at in np.random.default_rng(0).integers(0, len(total), 2000):
        spoken = sum(2.0**n for n, turn in enumerate(mixture.turns) if turn.start <= at < turn.end + 50)
        assert total[at] == spoken


def test_content_and_seed_alone_decide(said):
    mixtures = Mixtures(turns=(1, 3))
    first = made(said, mixtures, 1)
    assert same(first, made(said[::-1], mixtures, 1))
    assert not same(first, made(said, mixtures, 2))
    assert not {each.id for each in first} & {each.id for each in made(said, mixtures, 2)}


@pytest.mark.parametrize("turns", [(1, 5), (2, 3), (4, 4)])
def test_each_utterance_has_one_turn_at_most(said, turns):
    many = [
        Speech(f"{each.id}-{n}", f"{each.speaker}{n}", each.text, each.samples) for n in range(20) for each in said
    ]
    groups = list(grouped(many, turns, 7))
    assert {len(group) for group in groups} == set(range(turns[0], turns[1] + 1))
    used = [each.id for group in groups for each in group]
    assert len(used) == len(set(used))
    assert len(many) - len(used) < turns[0]


def test_long_mixtures_are_left_out(said):
    all_of_them = Mixtures(turns=(6, 6), overlap_share=0, pause_seconds=(1, 1), room_share=0)
    (mixture,) = made(said, all_of_them, 1)
    seconds = len(mixture.samples) / RATE
    assert seconds == pytest.approx(sum(len(each.samples) for each in said) / RATE + 5)
    assert not made(said, all_of_them.model_copy(update={"longest_seconds": seconds - 0.01}), 1)
    assert same(made(said, all_of_them.model_copy(update={"longest_seconds": seconds + 0.01}), 1), [mixture])


def test_two_channels_are_enough(said):
    for seed in range(30):
        for mixture in made(said, Mixtures(overlap_share=1, longest_overlap=1, room_share=0), seed):
            assign_channels(mixture.turns)


def test_silence_is_left_as_it_is(said):
    silent = [Speech(f"s{n}", f"s{n}", "", np.zeros(RATE, np.float32)) for n in range(2)]
    for mixture in made([*silent, *said[:2]], Mixtures(turns=(4, 4)), 1):
        assert np.isfinite(mixture.samples).all()
