"""The two processes of either target: a failure in one is shown and told by the exit status."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.side_by_side import main

TESTS = """
import pytest

@pytest.mark.shared_ray
def test_on_ray(): {on_ray}

def test_elsewhere(): {elsewhere}

@pytest.mark.cluster
def test_on_a_cluster(): {on_a_cluster}

@pytest.mark.cluster
@pytest.mark.training
def test_of_training(): {of_training}
"""
ELSEWHERE = dict.fromkeys(
    ("on_ray", "elsewhere", "on_a_cluster", "of_training"), 'assert "left to" == "the other target"'
)
GOOD, BAD = "assert 1 == 1", "assert 1 == 2"


TARGETS = {
    "test": ([], ("on_ray", "elsewhere"), ["tests with the session's Ray", "other tests"]),
    "test-cluster": (
        ["cluster"],
        ("of_training", "on_a_cluster"),
        ["training on clusters", "other tests on clusters"],
    ),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bodies", [(GOOD, GOOD), (GOOD, BAD), (BAD, GOOD)])
def test_either_may_fail(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], target: str, bodies: tuple[str, str]
) -> None:
    words, tests, names = TARGETS[target]
    (tmp_path / "test_some.py").write_text(TESTS.format_map(ELSEWHERE | dict(zip(tests, bodies, strict=True))))
    failed = [each == BAD for each in bodies]
    assert main([*words, str(tmp_path), "-q"]) == any(failed)
    said = capfd.readouterr().out
    assert said.count("1 failed, 3 deselected") == len(re.findall(f"^E +{BAD}$", said, re.MULTILINE)) == sum(failed)
    assert said.count("1 passed, 3 deselected") == 2 - sum(failed)
    endings = ["failed, exit status 1" if each else "passed" for each in failed]
    assert said.splitlines()[-2:] == [f"{name}: {ending}" for name, ending in zip(names, endings, strict=True)]
