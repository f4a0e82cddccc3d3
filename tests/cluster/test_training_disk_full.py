"""A disk that fills up while a student is trained: the last checkpoint is kept, and with room training goes on.

The disk is a real one of few megabytes, in memory, mounted where checkpoints go; a user may do so in a name space of
his own, where the system allows that.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import save_recipe
from tests.cluster.training_helpers import every_slab_was_trained_on_once, own_ray, own_run

pytestmark = pytest.mark.cluster

NAME_SPACE = ["unshare", "--user", "--map-root-user", "--mount"]
# $1 is where checkpoints go, $2 how much room there is, and what follows the command.
SCRIPT = """
set -e
mount -t tmpfs -o size="$2" none "$1"
checkpoints="$1"
shift 2
code=0
"$@" || code=$?
echo "exit $code"
ls "$checkpoints"/*/*/shared.safetensors
mount -o remount,size=64m "$checkpoints"
"$@"
echo "exit $?"
"""
# The student's theta, delta and two moments are 1.1 MB: two checkpoints, and not the third one.
ROOM = "2800k"


def may_mount() -> bool:
    try:
        return subprocess.run([*NAME_SPACE, "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_mount(), reason="this system lets nobody mount a disk in a name space of his own")
def test_the_last_checkpoint_survives_a_full_disk(labelled_run: Recipe, tmp_path: Path) -> None:
    recipe = own_run(labelled_run, tmp_path / "run", (2, 2), unlabeled_passes=1.0, sub_epochs=1, whole_sub_epochs=0)
    save_recipe(recipe)
    checkpoints = tmp_path / "run" / "training" / "student" / "checkpoints"
    checkpoints.mkdir(parents=True)
    command = [str(Path(sys.executable).with_name("ssl-asr")), "student", recipe.run]
    done = subprocess.run(
        [*NAME_SPACE, "sh", "-c", SCRIPT, "sh", str(checkpoints), ROOM, *command],
        env=own_ray(),
        capture_output=True,
        text=True,
        timeout=250,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    _, _, again = done.stdout.partition("exit 1\n")
    kept = {int(found[1]) for found in re.finditer(r"/(\d{7})-\w+/shared\.safetensors$", again, re.MULTILINE)}
    assert kept
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("ssl-asr: ")]
    assert "No space left on device" in sentence
    assert f"2 workers continue from block {max(kept)}" in done.stderr
    assert again.endswith("exit 0\n")
    every_slab_was_trained_on_once(recipe)
