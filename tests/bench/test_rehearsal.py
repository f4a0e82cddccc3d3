from jobs.bench.rehearsal import over_the_bar


def test_starts_that_miss_the_bar_are_named() -> None:
    first = {"corpus": 301.8, "frontend": 15.7, "labelling": 146.4, "training": 120.0}
    assert over_the_bar(first) == "more than 120 s: corpus 301.8 s, labelling 146.4 s"
    assert over_the_bar({"corpus": 21.8, "verify": 51.0}) == "none takes more than 120 s"
