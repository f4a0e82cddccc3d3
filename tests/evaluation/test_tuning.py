from ssl_asr.evaluation.scoring import Edits, ScoredUtterance
from ssl_asr.evaluation.tuning import best_kappa, describe_kappa


def _dev(*errors: int) -> list[ScoredUtterance]:
    return [ScoredUtterance(str(n), str(n), "dev", "clean", Edits(10, substitutions=e)) for n, e in enumerate(errors)]


def test_kappa_of_fewest_errors_over_the_whole_dev_set():
    assert best_kappa({0.2: _dev(0, 9), 0.5: _dev(4, 4), 1.0: _dev(5, 4)}) == 0.5


def test_the_smallest_of_equals_whatever_the_order():
    assert best_kappa({1.0: _dev(2), 0.3: _dev(2)}) == best_kappa({0.3: _dev(2), 1.0: _dev(2)}) == 0.3


def test_a_kappa_at_the_end_of_the_range_says_so():
    tried = (0.6, 0.2, 0.35)
    assert [describe_kappa(kappa, tried) for kappa in tried] == ["0.6 (most tried)", "0.2 (least tried)", "0.35"]
    assert describe_kappa(0.3, (0.3,)) == "0.3"
