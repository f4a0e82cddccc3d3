"""Names of runs."""

from __future__ import annotations

import pytest

from ssl_asr.studies.places import run_name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "demo-3"),
        (["corpus.cache=/somewhere", "cluster.workers=4", "run=x"], "demo-3"),
        (["student.order=segregated"], "demo-3-student.order=segregated"),
        (["b=2", "a=1"], "demo-3-a=1,b=2"),
        (["a=1", "b=2", "a=3"], "demo-3-a=3,b=2"),
    ],
)
def test_a_run_is_named_by_what_it_makes(overrides: list[str], name: str) -> None:
    assert run_name("demo", 3, overrides) == name


def test_names_that_had_to_be_changed_are_told_apart() -> None:
    names = {run_name("demo", 1, [f"corpus.test=nemo:s3://bucket/{letter}*.jsonl"]) for letter in "?*["}
    assert len(names) == 3
    assert all("/" not in name for name in names)
    assert len(run_name("demo", 1, ["a=" + "x" * 300])) < 120
    assert run_name("recipes/mine.yaml", 1, []) == "mine-1"
