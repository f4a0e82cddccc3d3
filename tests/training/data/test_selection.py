"""Selection by confidence: the share that was asked for, as even over the bins as can be, and nothing deleted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ssl_asr.labelling.top_k import CONFIDENCE_BINS, confidence_bin
from ssl_asr.recipe import load_recipe
from ssl_asr.recipe.identity import differences, inputs_key, non_defaults
from ssl_asr.training.data.selection import Selection, even_shares, uniform_over_confidence

BELL = [0, 5, 120, 900, 2400, 3100, 2000, 700, 90, 0]


@pytest.mark.parametrize("share", [1e-4, 0.1, 0.37, 0.5, 0.9, 1.0])
def test_bins_are_filled_to_one_level_and_sum_to_the_share(share: float) -> None:
    shares = even_shares(BELL, share)
    kept = np.array(BELL) * shares
    assert kept.sum() == pytest.approx(share * sum(BELL))
    assert all(0 < each <= 1 for each in shares)
    whole = np.array(shares) == 1
    np.testing.assert_allclose(kept[~whole], kept.max())
    assert (np.array(BELL)[whole] <= kept.max() + 1e-6).all()


def test_one_bin_alone_keeps_the_share() -> None:
    assert even_shares([0, 0, 8, 0], 0.25) == (1.0, 1.0, 0.25, 1.0)


def synthetic(utterances: int) -> list[tuple[str, float, int]]:
    """(id, confidence, frames) with confidences as bell-shaped as a teacher's, and long utterances surer."""
    chance = np.random.default_rng(3)
    confidences = np.clip(chance.normal(0.5, 0.13, utterances), 0, 1)
    frames = chance.integers(20, 200, utterances) + (100 * confidences).astype(int)
    return [(f"speaker-{index}", float(each), int(frames[index])) for index, each in enumerate(confidences)]


def histogram(rows: list[tuple[str, float, int]]) -> np.ndarray:
    frames = np.zeros(CONFIDENCE_BINS, int)
    for _, confidence, count in rows:
        frames[confidence_bin(confidence)] += count
    return frames


@pytest.mark.parametrize("share", [0.15, 0.4, 0.8])
def test_utterances_kept_have_the_share_and_the_even_spread(share: float) -> None:
    rows = synthetic(60_000)
    before = histogram(rows)
    selection = Selection(1, even_shares(before.tolist(), share))
    after = histogram([row for row in rows if selection.keeps(row[0], row[1])])
    assert after.sum() / before.sum() == pytest.approx(share, abs=0.01)
    expected = before * selection.shares
    well_filled = before > 50_000
    np.testing.assert_allclose(after[well_filled], expected[well_filled], rtol=0.05)
    spread = [np.std(each[well_filled] / each.sum()) for each in (before, after)]
    assert spread[1] < spread[0]


def test_order_of_shards_changes_nothing_and_the_seed_does() -> None:
    shards = np.array([np.roll(BELL, number % 2) for number in range(7)], float)
    shuffled = np.random.default_rng(0).permutation(shards)
    selection = uniform_over_confidence(shards, 0.3, seed=1)
    assert uniform_over_confidence(shuffled, 0.3, seed=1) == selection
    rows = synthetic(2000)
    kept = [row[0] for row in rows if selection.keeps(row[0], row[1])]
    again = [row[0] for row in reversed(rows) if selection.keeps(row[0], row[1])]
    assert again[::-1] == kept
    other = dataclasses.replace(selection, seed=2)
    assert [row[0] for row in rows if other.keeps(row[0], row[1])] != kept


def test_a_larger_share_keeps_all_that_a_smaller_one_kept() -> None:
    rows = synthetic(3000)
    few, many = (Selection(1, even_shares(histogram(rows).tolist(), share)) for share in (0.2, 0.6))
    assert all(many.keeps(name, confidence) for name, confidence, _ in rows if few.keeps(name, confidence))


def test_what_the_student_depends_on_tells_selections_apart_and_contradictions_are_refused() -> None:
    selected = ["student.selection=uniform-confidence", "student.selected_share=0.5"]
    recipes = [load_recipe("demo"), load_recipe("demo", selected), load_recipe("demo", [*selected, "seed=7"])]
    assert len({inputs_key(non_defaults(recipe, "student")) for recipe in recipes}) == 3
    # The baseline hears no unlabeled speech; the share of it still says how long the baseline is trained.
    assert differences(*(non_defaults(recipe, "baseline") for recipe in recipes[:2])) == ["student.selected_share"]
    assert differences(*(non_defaults(recipe, "targets") for recipe in recipes[:2])) == []
    with pytest.raises(ValueError, match=r"selected_share=0\.5 has no effect while student\.selection is all; add"):
        load_recipe("demo", ["student.selected_share=0.5"])
    with pytest.raises(ValueError, match=r"student\.selected_share"):
        load_recipe("demo", ["student.selection=uniform-confidence", "student.selected_share=0"])
