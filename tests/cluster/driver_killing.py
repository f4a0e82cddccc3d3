"""Killing while the driver of a stage, its actors and the nodes work on one recipe after another."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

from ssl_asr.recipe import Recipe
from tests.cluster.killing import Killing


@dataclass
class DriverKilling(Killing):
    """`code` is that of the driver, a process that gets its recipe as JSON."""

    code: ClassVar[str]
    patient, patience_seconds, longest_delay = 0.8, 30.0, 1.0

    def work_on(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._start_driver()
        try:
            self.fire()
        finally:
            self._end_driver()
        assert self.driver.returncode == 0, f"the stage failed: {self.log.read_text()[-3000:]}"

    def ended(self) -> bool:
        return self.driver.poll() is not None

    def kill_actor(self) -> str:
        return self.kill_any(self.nodes.actors(), "actor")

    def kill_driver(self) -> str:
        pid = self.driver.pid
        self._end_driver()
        self._start_driver()
        return f"driver {pid}"

    def _start_driver(self) -> None:
        command = [sys.executable, "-c", self.code, self.recipe.model_dump_json()]
        with open(self.log, "a") as log:
            self.driver = subprocess.Popen(command, env=self.nodes.environment, stdout=log, stderr=log)

    def _end_driver(self) -> None:
        self.driver.kill()
        self.driver.wait()
