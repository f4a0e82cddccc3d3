import pytest

from ssl_asr.lang.text import normalise, unknown_characters


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("You couldn't pilot -- your way out!", "you couldn't pilot your way out"),
        ("IT’S  ‘fine’,\tno?", "it's fine no"),
        ("Call-Forward… 'em", "call forward em"),
        ("", ""),
        ("...'", ""),
        ("naïve 3 times", "na ve times"),
    ],
)
def test_normalise(written: str, spoken: str) -> None:
    assert normalise(written) == spoken
    assert normalise(spoken) == spoken


def test_unknown_characters_are_named_and_punctuation_is_not() -> None:
    assert unknown_characters("naïve? 3 × 3, <unk>!") == "3<>×ï"
    assert unknown_characters("It's “fine” — really (no, really)…") == ""
