"""The two processes of `make test`: a failure in either is shown and told by the exit status."""

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
def test_on_a_cluster(): assert "left to" == "test-cluster"
"""
GOOD, BAD = "assert 1 == 1", "assert 1 == 2"


@pytest.mark.parametrize(("on_ray", "elsewhere"), [(GOOD, GOOD), (GOOD, BAD), (BAD, GOOD)])
def test_either_may_fail(tmp_path: Path, capfd: pytest.CaptureFixture[str], on_ray: str, elsewhere: str) -> None:
    (tmp_path / "test_some.py").write_text(TESTS.format(on_ray=on_ray, elsewhere=elsewhere))
    failed = [each == BAD for each in (on_ray, elsewhere)]
    assert main([str(tmp_path), "-q"]) == any(failed)
    said = capfd.readouterr().out
    assert said.count("1 failed, 2 deselected") == len(re.findall(f"^E +{BAD}$", said, re.MULTILINE)) == sum(failed)
    assert said.count("1 passed, 2 deselected") == 2 - sum(failed)
    endings = ["failed, exit status 1" if each else "passed" for each in failed]
    assert said.splitlines()[-2:] == [f"tests with the session's Ray: {endings[0]}", f"other tests: {endings[1]}"]
