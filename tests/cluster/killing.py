"""Killing at drawn moments while a stage works on one recipe after another: what all such tests have in common."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ssl_asr.recipe import Recipe
from tests.cluster.processes import Process, kill
from tests.cluster.ray_nodes import WORKER_NODES, Nodes


@dataclass
class Killing(ABC):
    """`kills` victims drawn by `seed` while the stage works under fire on one of `recipes` after another.

    `weights`: how often each kind of victim is killed among as many kills as they sum to; the order is drawn. With
    the chance `patient` a kill waits until the last one has been overcome, as shows by `steps` more of progress, but
    for no longer than `patience_seconds`.
    """

    weights: ClassVar[dict[str, int]]
    patient: ClassVar[float]
    patience_seconds: ClassVar[float]
    longest_delay: ClassVar[float]
    steps: ClassVar[int] = 1

    nodes: Nodes
    recipes: Iterator[Recipe]
    kills: int
    seed: int
    log: Path
    done: list[Recipe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.killed = dict.fromkeys(self.weights, 0)
        self.due: list[str] = []  # kinds of victims whose turn is still to come
        self.draw = random.Random(self.seed)
        self.began = time.monotonic()

    @abstractmethod
    def work_on(self, recipe: Recipe) -> None:
        """Start a driver, `fire` until it has ended, and see that it ended well."""

    @abstractmethod
    def ended(self) -> bool:
        """Whether the driver has."""

    @abstractmethod
    def progress(self) -> int: ...

    @abstractmethod
    def where(self, progress: int) -> str:
        """The same for a person."""

    @abstractmethod
    def kill_driver(self) -> str:
        """And start another; what to say of it."""

    @property
    def count(self) -> int:
        """Of kills so far."""
        return sum(self.killed.values())

    def run(self) -> list[Recipe]:
        """The recipes that were finished under fire."""
        while self.count < self.kills:
            recipe = next(self.recipes)
            self.work_on(recipe)
            self.done.append(recipe)
        one_round = sum(self.weights.values())
        assert self.kills < one_round or all(self.killed.values()), f"a kind was never killed: {self.killed}"
        return self.done

    def fire(self) -> None:
        while not self.ended():
            self._kill_one()

    def kill_node(self) -> str:
        index = self.draw.randrange(WORKER_NODES)
        return f"node {index}, raylet {self.nodes.kill_node(index)}"

    def kill_any(self, victims: list[Process], name: str) -> str:
        """Nothing to say where there is none."""
        if not victims:
            return ""
        victim = self.draw.choice(victims)
        return f"{name} {victim.pid} of {len(victims)}" if kill(victim) else ""

    def _kill_one(self) -> None:
        """Or none, where the driver ends or all kills are used up."""
        if self.draw.random() < self.patient:
            self._wait_for_progress()
        self._wait(self.draw.uniform(0, self.longest_delay))
        if self.ended() or self.count == self.kills:
            self._wait(0.2)
            return
        self.due = self.due or [kind for kind, weight in self.weights.items() for _ in range(weight)]
        kind = self.draw.choice(self.due)
        progress = self.progress()
        victim = getattr(self, f"kill_{kind}")()
        if victim:
            self.due.remove(kind)
            self.killed[kind] += 1
            seconds, number = time.monotonic() - self.began, self.count
            told = f"seed {self.seed}, {seconds:6.1f} s, {self.where(progress)}"
            print(f"{told}: kill {number} of {self.kills}: {victim}", flush=True)

    def _wait_for_progress(self) -> None:
        """Until there is some, the driver ends, or patience does."""
        before, until = self.progress(), time.monotonic() + self.patience_seconds
        while self.progress() < before + self.steps and not self.ended() and time.monotonic() < until:
            time.sleep(0.05)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.02)
