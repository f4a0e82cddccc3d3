"""Errors by speaker, length, level range and word frequency: nothing is lost, and each is where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.scoring import align_words, edits_of
from ssl_asr.frontend.lfbe import lfbe
from ssl_asr.recipe import Frontend
from ssl_asr.report.errors import bands
from ssl_asr.report.errors.analysis import analyse
from ssl_asr.report.errors.confusions import Confusion, confusions
from ssl_asr.report.errors.levels import level_range
from ssl_asr.report.errors.utterances import AlignedUtterance, Recognised
from ssl_asr.store.utterance import Utterance


def said(name: str, text: str, seconds: float = 1.0, speaker: str = "ann", **hypotheses: str) -> AlignedUtterance:
    utterance = Utterance(name, "a.wav", speaker, 0, seconds, text=text, recording=name.partition("@")[0])
    systems = {}
    for system, words in hypotheses.items():
        aligned = align_words(text.split(), words.split())
        systems[system] = Recognised(aligned, edits_of(aligned))
    return AlignedUtterance(utterance, "set", systems)


SAID = (
    said("a", "the cat sat", 0.9, "ann", baseline="the dog sat", student="the cat sat"),
    said("b", "the cat", 4.0, "ben", baseline="the", student="oh the dog"),
    said("c", "", 30.0, "cid", baseline="", student="hm"),
)


def test_bands_of_a_decoded_run_hold_every_word_and_error_of_its_results(reported):
    results = read_results(reported.run)
    analysis = analyse(reported, results)
    for rows in (analysis.by_speaker, analysis.by_length):
        assert sum(row.utterances for row in rows) == results.row("student").utterances
        for system in analysis.systems:
            row = results.row(system)
            assert sum(band.words for band in rows) == row.words
            assert sum(band.errors[system] for band in rows) == row.insertions + row.deletions + row.substitutions
    # No frame, or not a number: no level range.
    assert sum(row.utterances for row in analysis.by_level_range) == results.row("student").utterances - 2
    student = results.row("student")
    assert sum(band.words for band in analysis.by_frequency) == student.words
    assert sum(band.errors["student"] for band in analysis.by_frequency) == student.deletions + student.substitutions
    never = analysis.by_frequency[0]
    assert (never.name, never.words, never.errors["student"]) == ("never", 1, 1)


def test_lengths_in_order_and_an_utterance_at_a_limit_in_the_longer_band():
    rows = bands.by_length([*SAID, said("d", "a", 5.0, baseline="a", student="a")])
    assert [row.name for row in rows] == ["under 1 s", "3 to 5 s", "5 to 8 s", "15 s and more"]
    assert [row.errors["student"] for row in rows] == [0, 2, 0, 1]
    assert rows[1].rate("baseline") == 0.5


def test_the_largest_speakers_are_shown_the_worst_first():
    rows = bands.by_speaker(SAID, "student", 2)
    assert [(row.name, row.errors["student"], row.words) for row in rows] == [("ben", 2, 2), ("ann", 0, 3)]


def test_frequency_of_reference_words_without_what_was_made_up():
    rows = bands.by_frequency(SAID, {"the": 2000, "cat": 1, "dog": 50})
    found = {row.name: (row.utterances, row.words, row.errors["baseline"], row.errors["student"]) for row in rows}
    assert found == {"never": (1, 1, 0, 0), "once": (2, 2, 2, 1), "1,000 and more": (2, 2, 0, 0)}


def test_confused_left_out_and_made_up_words():
    found = confusions([*SAID, said("e", "a cat", baseline="", student="a dog")], "student", 2)
    assert found.substitutions == (Confusion("cat", "dog", 2, 3),)
    assert found.deletions == ()
    assert found.insertions == (Confusion("", "hm", 1, 1), Confusion("", "oh", 1, 1))


def test_level_range_falls_with_noise_and_ignores_loudness():
    """Bursts of a harmonic sound, under noise of 20, 10 and 0 dB; each bin minus its mean, as in the front end."""
    generator = np.random.default_rng(1)
    seconds = np.arange(24000) / 8000
    speech = sum(np.sin(2 * np.pi * 150 * k * seconds) / k for k in range(1, 20)) * (seconds % 0.5 < 0.35)
    noise = generator.normal(0, speech.std(), len(speech))

    def ranges(gain: float) -> list[float]:
        found = []
        for decibels in (20, 10, 0):
            mixed = gain * (speech + noise * 10 ** (-decibels / 20))
            frames = lfbe(mixed.astype(np.float32), Frontend(sample_rate=8000, high_hz=3900))
            found.append(level_range(frames - frames.mean(0)))
        return found

    loud = ranges(0.1)
    assert loud[0] > loud[1] + 3 > loud[2] + 6
    assert ranges(0.005) == pytest.approx(loud, abs=0.1)
