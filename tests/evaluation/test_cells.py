from ssl_asr.evaluation.cells import Cells, is_of_other_channel, set_of
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.store.utterance import Utterance

SAID = tuple((name, condition) for name in ("joe", "far", "bob", "line") for condition in ("clean", "room"))
EACH = ("clean", "room", ALL)


def test_sets_of_the_same_channel_come_first_together_then_by_themselves():
    found = Cells(SAID, frozenset({"line", "far"}))
    assert found.headline == "bob + joe"
    sets = ["bob + joe", "bob", "joe", "far", "line", ALL]
    assert list(found) == [(name, condition) for name in sets for condition in EACH]
    assert [place for place in SAID if found.holds(("bob + joe", "room"), place)] == [
        ("joe", "room"),
        ("bob", "room"),
    ]
    assert [place for place in SAID if found.holds((ALL, ALL), place)] == list(SAID)


def test_without_another_channel_or_with_nothing_else_the_headline_is_everything():
    for other in (frozenset(), frozenset({"joe", "far", "bob", "line"})):
        found = Cells(SAID, other)
        assert found.headline == ALL
        assert {name for name, _ in found} == {"bob", "far", "joe", "line", ALL}


def test_a_headline_of_one_set_has_no_cells_beside_those_of_the_set():
    found = Cells(SAID, frozenset({"line", "far", "bob"}))
    assert found.headline == "joe"
    assert len(list(found)) == len(set(found)) == 5 * len(EACH)


def test_a_set_has_no_cell_for_a_condition_that_it_lacks():
    found = Cells((("bob", "clean"), ("bob", "room"), ("joe", "clean")))
    assert list(found) == [
        ("bob", "clean"),
        ("bob", "room"),
        ("bob", ALL),
        ("joe", "clean"),
        ("joe", ALL),
        (ALL, "clean"),
        (ALL, "room"),
        (ALL, ALL),
    ]


def test_tags_say_set_and_channel():
    plain = Utterance("u", "u.wav", "s", 0, 1.0)
    tagged = Utterance("u", "u.wav", "s", 0, 1.0, tags={"set": "far", "channel": "other"})
    assert (set_of(plain), is_of_other_channel(plain)) == ("test", False)
    assert (set_of(tagged), is_of_other_channel(tagged)) == ("far", True)


def test_what_is_in_no_set_and_no_condition_has_one_cell():
    assert list(Cells((("all", "all"),))) == [("all", "all")]
