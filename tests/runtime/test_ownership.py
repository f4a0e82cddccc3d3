"""Who is at work: this process, one that lives, one that was killed, one of another machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime import ownership
from ssl_asr.runtime.stage_clock import StageClock, refuse_second
from tests.runtime.at_work import at_work


def test_of_this_machine_the_living_are_known_from_the_dead() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from ssl_asr.runtime.ownership import THIS_PROCESS; print(THIS_PROCESS)"], stdout=-1
    )
    dead = process.communicate()[0].decode().strip()
    assert not ownership.may_be_running(dead)
    assert not ownership.may_be_running(ownership.THIS_PROCESS)
    assert ownership.may_be_running(ownership.THIS_PROCESS.replace(ownership.HOST, "elsewhere"))
    assert ownership.may_be_running("")


def test_second_process_is_refused_while_the_first_lives_and_not_once_it_is_killed(tmp_path: Path) -> None:
    recipe = Recipe(run=str(tmp_path))
    refuse_second(recipe, "student")
    with (
        at_work(recipe.run, "student") as first,
        pytest.raises(ValueError, match=rf"process {first.pid} of .* is running student; .*same command again"),
    ):
        refuse_second(recipe, "student")
    refuse_second(recipe, "student")
    StageClock(recipe, "student", "key").finish(1, 0)


CLAIM = """
import sys
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.stage_clock import StageClock
clock = StageClock(Recipe(run=sys.argv[1]), "student", "key")
print("ready", flush=True)
sys.stdin.readline()
try:
    clock.claim()
    print("mine", flush=True)
except ValueError as error:
    print(error, flush=True)
sys.stdin.readline()
"""


def test_of_two_processes_that_begin_in_the_same_moment_one_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIM, str(tmp_path)]
    both = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in "ab"
    ]
    try:
        assert [each.stdout.readline() for each in both] == ["ready\n", "ready\n"]
        for each in both:
            each.stdin.write("go\n")
        said = sorted(each.stdout.readline() for each in both)
    finally:
        for each in both:
            each.kill()
            each.communicate()
    (refused,) = [line for line in said if line != "mine\n"]
    assert "is running student; wait for it" in refused
