"""What a stage would make: how reasons are told, and how they reach the stages after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ssl_asr.runtime.todo import NEW_VERSION, NOT_THERE, Todo, reasons, upstream, waiting


@pytest.mark.parametrize(
    ("todo", "line"),
    [
        (
            Todo("features/test", ("corpus.test_conditions",), 2),
            "features/test: 2 shards, because of corpus.test_conditions",
        ),
        (Todo("features/test", (NOT_THERE,), 1), "features/test: 1 shard, not made yet"),
        (Todo("teacher", ("hmm.senones", "seed")), "teacher: because of hmm.senones, seed"),
        (Todo("teacher", (NOT_THERE,)), "teacher: not made yet"),
        (Todo("results", (NEW_VERSION,)), "results: this version of ssl_asr makes it differently"),
        (
            Todo("features/dev", ("seed",), 1234567, after="corpus"),
            "features/dev: about 1,234,567 shards, because of seed",
        ),
        (Todo("results", ("seed",), 3, "slab"), "results: 3 slabs, because of seed"),
        (Todo("lexicon", ("seed",), certain=False), "lexicon: because of seed (may turn out unchanged)"),
    ],
)
def test_a_line_says_what_how_much_and_why(todo: Todo, line: str) -> None:
    assert todo.line() == line


def test_reasons_are_what_differs() -> None:
    made_from = {"version": "1", "features": "abc", "seed": "2"}
    assert reasons(made_from, dict(made_from)) == ()
    assert reasons(None, made_from) == (NOT_THERE,)
    assert reasons(made_from, {**made_from, "seed": "3", "features": "x"}) == ("features", "seed")
    assert reasons(made_from, {**made_from, "version": "2"}) == (NEW_VERSION,)
    assert reasons(made_from, {"version": "1", "features": "abc"}) == ("seed",)  # a default again
    assert reasons({}, {"version": "1", "lexicon version": "1"}) == (NEW_VERSION,)


def test_upstream_is_what_a_stage_reads() -> None:
    before = [Todo("manifest/dev", ("seed",)), Todo("manifest/test", ("seed",)), Todo("teacher", ("seed",))]
    assert upstream(before, "manifest/test", "teacher", "student") == before[1:]
    assert upstream(before) == []


def test_what_waits_has_all_causes_once_and_the_first_stage_to_run() -> None:
    manifest = Todo("manifest/test", ("seed", "source"), 2, stage="corpus")
    features = replace(waiting("features/test", [manifest], 2), stage="frontend")
    assert (features.because, features.pieces, features.after) == (("seed", "source"), 2, "corpus")
    teacher = Todo("teacher", ("source", "hmm.senones"), stage="teacher")
    results = waiting("results", [features, teacher])
    assert (results.because, results.after) == (("seed", "source", "hmm.senones"), "corpus")
    # Causes of the stage itself, before the stage table has named it: it can run.
    assert waiting("alignments/dev", [Todo("senones", ("hmm.senones",))]).after == ""
    assert waiting("results", [teacher]).after == "teacher"
