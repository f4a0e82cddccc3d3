import kaldialign
import numpy as np
import pytest

from ssl_asr.evaluation.bootstrap import Draws, compare, compare_gains, share_of_gain, word_error_interval
from ssl_asr.evaluation.scoring import Edits, ScoredUtterance, count_edits


def _system(error_rate: float, seed: int, utterances: int = 300, words: int = 10) -> list[ScoredUtterance]:
    errors = np.random.default_rng(seed).binomial(words, error_rate, utterances)
    return [
        ScoredUtterance(str(n), str(n), "test", "clean", Edits(words, substitutions=int(e)))
        for n, e in enumerate(errors)
    ]


def test_the_interval_agrees_with_kaldialigns_bootstrap():
    generator = np.random.default_rng(3)
    references = [list(generator.choice(list("abcdef"), size=generator.integers(1, 12))) for _ in range(250)]
    hypotheses = [
        [generator.choice(list("abcxyz")) if generator.random() < 0.3 else w for w in r] for r in references
    ]
    scored = [
        ScoredUtterance(str(n), str(n), "test", "clean", count_edits(r, h))
        for n, (r, h) in enumerate(zip(references, hypotheses, strict=True))
    ]
    ours = word_error_interval(scored, Draws(4000, 1))
    theirs = kaldialign.bootstrap_wer_ci(references, hypotheses, replications=4000)
    assert ours.value == pytest.approx(theirs["wer"], abs=2e-3)
    assert ours.low == pytest.approx(theirs["ci95min"], abs=5e-3)
    assert ours.high == pytest.approx(theirs["ci95max"], abs=5e-3)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    system = _system(0.3, 0)
    assert word_error_interval(system, Draws(300, 1)) == word_error_interval(system, Draws(300, 1))
    assert word_error_interval(system, Draws(300, 1)) != word_error_interval(system, Draws(300, 2))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = sum(
        (interval := word_error_interval(_system(0.3, seed, 200), Draws(400, seed))).low <= 0.3 <= interval.high
        for seed in range(200)
    )
    assert 180 <= covered <= 199


def test_pairing_sees_a_small_gain_that_two_single_intervals_would_hide():
    hard = np.random.default_rng(0).integers(0, 10, 200)
    baseline = [ScoredUtterance(str(n), str(n), "t", "c", Edits(10, deletions=int(e))) for n, e in enumerate(hard)]
    better = [
        ScoredUtterance(str(n), str(n), "t", "c", Edits(10, deletions=max(int(e) - (n % 4 == 0), 0)))
        for n, e in enumerate(hard)
    ]
    found = compare(baseline, better, Draws(1000, 1))
    assert 0 < found.reduction.low < found.reduction.value < found.reduction.high
    assert found.p_better == 1
    alone = [word_error_interval(system, Draws(1000, 1)) for system in (baseline, better)]
    assert alone[1].high > alone[0].low


def test_copies_of_a_recording_are_drawn_together():
    """Ten copies of each recording hold no more evidence than one, so the interval must not shrink."""
    once = _system(0.3, 0, utterances=50)
    copies = [
        ScoredUtterance(f"{each.id}@{n}", each.recording, each.set, f"noise-{n}", each.edits)
        for n in range(10)
        for each in once
    ]
    assert word_error_interval(copies, Draws(500, 1)) == word_error_interval(once, Draws(500, 1))


def test_a_system_compared_with_itself_gains_nothing():
    system = _system(0.2, 5)
    found = compare(system, system, Draws(200, 1))
    assert (found.reduction.value, found.reduction.low, found.reduction.high, found.p_better) == (0, 0, 0, 0)


@pytest.mark.parametrize("baseline_errors", [0, 1])
def test_a_baseline_almost_without_error_gives_finite_figures(baseline_errors):
    baseline = [ScoredUtterance(str(n), str(n), "t", "c", Edits(5)) for n in range(9)]
    baseline[0] = ScoredUtterance("0", "0", "t", "c", Edits(5, insertions=baseline_errors))
    worse = [ScoredUtterance(str(n), str(n), "t", "c", Edits(5, substitutions=2)) for n in range(9)]
    found = compare(baseline, worse, Draws(200, 1))
    assert np.isfinite([found.reduction.value, found.reduction.low, found.reduction.high]).all()
    assert found.reduction.value < 0
    assert found.p_better == 0


def test_only_empty_references_give_finite_figures():
    silence = [ScoredUtterance("a", "a", "t", "c", Edits(0, insertions=1))]
    assert word_error_interval(silence, Draws(50, 1)).value == 1


def _by_talker(rates: list[float], utterances: int, seed: int) -> list[ScoredUtterance]:
    """Each of the talkers has an error rate of their own."""
    generator = np.random.default_rng(seed)
    return [
        ScoredUtterance(
            f"{speaker}-{n}", f"{speaker}-{n}", "t", "c", Edits(10, int(generator.binomial(10, rate))), speaker
        )
        for speaker, rate in ((f"s{number}", rate) for number, rate in enumerate(rates))
        for n in range(utterances)
    ]


def _with_errors(errors: np.ndarray) -> list[ScoredUtterance]:
    return [ScoredUtterance(str(n), str(n), "t", "c", Edits(10, deletions=int(e))) for n, e in enumerate(errors)]


def test_the_share_of_the_toplines_gain_lies_in_its_interval():
    generator = np.random.default_rng(0)
    baseline = generator.integers(4, 9, 300)
    student, topline = baseline - (generator.random(300) < 0.2), baseline - (generator.random(300) < 0.5)
    found = share_of_gain(*map(_with_errors, (baseline, student, topline)), Draws(1000, 1))
    gains = [int((baseline - each).sum()) for each in (student, topline)]
    assert found.value == pytest.approx(gains[0] / gains[1])
    assert 0.25 < found.low < found.value < found.high < 0.55
    # Word error rates are over the same words, so the share is that of the reductions too.
    reductions = [
        compare(_with_errors(baseline), _with_errors(each), Draws(9, 1)).reduction for each in (student, topline)
    ]
    assert found.value == pytest.approx(reductions[0].value / reductions[1].value)


@pytest.mark.parametrize("gain", [0.0, 0.02, -0.5])
def test_there_is_no_share_where_the_topline_does_not_clearly_gain(gain):
    generator = np.random.default_rng(1)
    baseline = generator.integers(3, 7, 200)
    topline = baseline - np.sign(gain) * (generator.random(200) < abs(gain)) + generator.integers(-1, 2, 200)
    assert share_of_gain(*map(_with_errors, (baseline, baseline - 1, topline)), Draws(500, 1)) is None


def test_a_share_stays_finite_where_a_few_samples_hold_no_gain_of_the_topline():
    generator = np.random.default_rng(5)
    for seed in range(30):
        baseline = generator.integers(3, 7, 40)
        topline = baseline - (generator.random(40) < 0.15)
        found = share_of_gain(*map(_with_errors, (baseline, baseline - 1, topline)), Draws(300, seed))
        assert found is None or np.isfinite([found.low, found.value, found.high]).all()


def test_an_interval_over_speakers_covers_other_talkers_which_one_over_recordings_does_not():
    """Talkers differ by far more than chance: many sentences of a few talkers say little of others."""
    generator, covered = np.random.default_rng(0), {"recording": 0, "speaker": 0}
    for seed in range(60):
        scored = _by_talker(list(generator.uniform(0.1, 0.5, 12)), 20, seed)
        for block in covered:
            found = word_error_interval(scored, Draws(200, seed), block)
            covered[block] += found.low <= 0.3 <= found.high
    assert covered["speaker"] >= 49  # of 12 blocks a little less than 95 %
    assert covered["recording"] < 40


def test_speakers_are_drawn_with_all_that_they_say():
    """With one utterance a speaker there is no difference; with equal talkers there is no spread."""
    scored = _by_talker([0.2, 0.4, 0.3, 0.5, 0.1], 1, 3)
    assert word_error_interval(scored, Draws(200, 1), "speaker") == word_error_interval(scored, Draws(200, 1))
    equal = [
        ScoredUtterance(f"{s}{n}", f"{s}{n}", "t", "c", Edits(10, deletions=n), s) for s in "abcd" for n in range(9)
    ]
    alike = word_error_interval(equal, Draws(200, 1), "speaker")
    assert alike.low == alike.value == alike.high == 0.4


def _errors_of(counts: dict[str, int]) -> list[ScoredUtterance]:
    return [ScoredUtterance(name, name, "t", "c", Edits(10, deletions=count), name) for name, count in counts.items()]


def test_a_difference_of_gains_is_that_of_the_same_blocks_drawn_one_by_one():
    generator = np.random.default_rng(5)
    names = [f"{number:02}" for number in range(12)]
    spoken = {"part": names[:10], "other": names[2:]}  # two talkers are in one part alone
    counts = {
        part: [dict(zip(those, generator.integers(1, 10, len(those)).tolist(), strict=True)) for _ in range(2)]
        for part, those in spoken.items()
    }
    draws = Draws(200, 7)
    pairs = [tuple(map(_errors_of, counts[part])) for part in ("part", "other")]
    found = compare_gains(*pairs, draws, "speaker")

    def gain(part: str, drawn: list[str]) -> float:
        baseline, candidate = (sum(each.get(name, 0) for name in drawn) for each in counts[part])
        return 1 - candidate / baseline

    times = np.random.default_rng(draws.seed).multinomial(12, np.full(12, 1 / 12), size=draws.replicates)
    drawn = [[name for name, count in zip(names, row, strict=True) for _ in range(count)] for row in times]
    differences = np.array([gain("part", each) - gain("other", each) for each in drawn])
    assert found.reduction.value == pytest.approx(gain("part", names) - gain("other", names))
    assert [found.reduction.low, found.reduction.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]))
    assert found.p_better == pytest.approx((differences > 0).mean())
    assert found.reduction.low < found.reduction.high
