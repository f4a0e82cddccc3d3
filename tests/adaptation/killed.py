"""Adapting in a process that is killed, as by `kill -9`, right after a training wrote a block's account."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ssl_asr.adaptation.stage import Wanted, run_adapt
from ssl_asr.recipe import Method, Recipe
from ssl_asr.store.results_layout import cohorts_folder
from ssl_asr.training.checkpoints import accounting
from ssl_asr.training.checkpoints.accounting import BlockAccount
from tests.in_process import placed_here

KILLED = -signal.SIGKILL


def adapt_until_killed(recipe: Recipe, method: Method, training: str, block: int) -> int:
    """The exit status of the process."""
    command = [sys.executable, "-m", __name__, recipe.model_dump_json(), method, training, str(block)]
    return subprocess.run(command, check=False).returncode


def main(values: str, method: Method, training: str, last: str) -> None:
    recipe = Recipe.model_validate_json(values)
    write = accounting.write_account

    def write_and_die(run: str, name: str, key: str, account: BlockAccount) -> None:
        write(run, name, key, account)
        if (name, account.block) == (training, int(last)):
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as monkeypatch, placed_here():
        monkeypatch.setattr(accounting, "write_account", write_and_die)
        run_adapt(recipe, Wanted("south", method, "student", cohorts_folder(recipe.run)))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
