"""N-grams of users: which words they have, and what is said of those that can't be read."""

import pytest

from ssl_asr.lang.ngram import Vocabulary, estimate_arpa
from ssl_asr.serving.arpa import arpa_words, check_arpa

GOOD = "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-0.5\ta\n-0.5\tb\n-2\tzzzz\n\n\\end\\\n"


def test_words_of_an_n_gram() -> None:
    assert arpa_words(GOOD, "lm.arpa") == {"a", "b", "zzzz"}
    check_arpa(GOOD, Vocabulary(("a", "b")), "lm.arpa")
    arpa = estimate_arpa(["a b c", "c b b a", "b c"], 3)
    assert arpa_words(arpa, "lm.arpa") == {"a", "b", "c"}
    check_arpa(arpa, Vocabulary(("a", "b", "c")), "lm.arpa")


@pytest.mark.parametrize("bad", ["", "PK\x03\x04", GOOD[:-8], GOOD.replace("-2\tzzzz", "zzzz")])
def test_what_is_no_n_gram_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^bad\.arpa"):
        arpa_words(bad, "bad.arpa")


def test_the_line_that_cannot_be_read_is_named() -> None:
    for bad in ("-0.5\ta\t0", "much\ta"):
        with pytest.raises(ValueError, match=r"^bad\.arpa can't be read \(.*; write it again$"):
            check_arpa(GOOD.replace("-0.5\ta", bad), Vocabulary(("a", "b")), "bad.arpa")
