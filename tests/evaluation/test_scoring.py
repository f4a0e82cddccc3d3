import pytest

from ssl_asr.evaluation.scoring import Edits, align_words, count_edits, edits_of

# reference, hypothesis, insertions, deletions, substitutions; counted by hand after sclite's rules
GOLDEN = [
    ("the cat sat", "the cat sat", 0, 0, 0),
    ("the cat sat", "the cat", 0, 1, 0),
    ("the cat sat", "oh the cat sat", 1, 0, 0),
    ("the cat sat", "the dog sat", 0, 0, 1),
    ("", "", 0, 0, 0),
    ("", "oh no", 2, 0, 0),
    ("the cat sat", "", 0, 3, 0),
    ("a b", "c", 0, 1, 1),
    ("zyzzyva said yes", "said yes", 0, 1, 0),
    ("x y a b c d", "a b c d x y", 2, 2, 0),
]


@pytest.mark.parametrize(("reference", "hypothesis", "insertions", "deletions", "substitutions"), GOLDEN)
def test_golden_counts(reference, hypothesis, insertions, deletions, substitutions):
    edits = count_edits(reference.split(), hypothesis.split())
    assert edits == Edits(len(reference.split()), insertions, deletions, substitutions)
    aligned = align_words(reference.split(), hypothesis.split())
    assert edits_of(aligned) == edits
    assert [each.reference for each in aligned if each.reference] == reference.split()
    assert [each.hypothesis for each in aligned if each.hypothesis] == hypothesis.split()


@pytest.mark.parametrize(
    ("reference", "hypothesis", "insertions", "deletions", "substitutions"),
    [
        ("a b", "b c", 1, 1, 0),  # 3 + 3 < 4 + 4: the word that both hold is kept in place
        ("a b c d e", "d e x y z", 3, 3, 0),  # 6 x 3 < 5 x 4, though five substitutions would be fewer errors
    ],
)
def test_the_split_is_that_of_nist_where_the_fewest_edits_would_split_otherwise(
    reference, hypothesis, insertions, deletions, substitutions
):
    edits = count_edits(reference.split(), hypothesis.split())
    assert (edits.insertions, edits.deletions, edits.substitutions) == (insertions, deletions, substitutions)


def test_word_error_rate_of_silence_counts_what_was_made_up():
    assert Edits(words=0, insertions=2).word_error_rate == 2
    assert Edits(words=0).word_error_rate == 0
    assert Edits(4, 1, 1, 1).word_error_rate == 0.75


def test_edits_add():
    assert Edits(1, 2, 3, 4) + Edits(10, 20, 30, 40) == Edits(11, 22, 33, 44)
