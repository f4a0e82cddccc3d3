"""Goodput: useful frames of training with regular kills, divided by those of an undisturbed training.

`python -m jobs.bench.goodput RUN [--minutes 20] [--every 120] [--seed 1] [key=value ...]` trains the run's student
twice for N minutes, in temporary runs, by the same drivers that users start: once undisturbed, and once with a worker
killed by SIGKILL every N seconds. Frames are those of the learning curve. It shows each block once, so lost work does
not count. Time starts with the first block of each training. Recovery has four parts: detect (until the loss is
noticed), decide (how many workers continue), start (processes, connections) and load (the newest checkpoint). It
prints a table, then one JSON object as the last line. RUN is a run whose unlabeled speech is labelled.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.curve import read_curve
from ssl_asr.training.elastic.events import Recovery, read_events, recovery_after, restarts

STUDENT = """
import sys
from ssl_asr.recipe import Recipe
from ssl_asr.training.stage import run_student
run_student(Recipe.model_validate_json(sys.argv[1]))
"""
ENDLESS = 1e5  # passes over the unlabeled speech
START_SECONDS = 300.0  # at most, until the first block
# The folders that training writes; they are not shared with the original run.
WRITTEN = {"training", "tensorboard", "stages", "rejects", "models"}
PARTS = ("detect", "decide", "start", "load")


@dataclass
class TrainingRun:
    """Useful frames of 30 ms, and their time; `unmended` counts kills without a recovery."""

    frames: int
    seconds: float
    restarts: int = 0
    recoveries: list[Recovery] = field(default_factory=list)
    unmended: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a run whose unlabeled speech is labelled")
    parser.add_argument("--minutes", type=float, default=20, help="of training, each time (default: 20)")
    parser.add_argument("--every", type=float, default=120, help="seconds between kills (default: 120)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw of victims (default: 1)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the run's recipe")
    options = parser.parse_args()
    try:
        recipe = open_recipe(options.run, [*options.overrides, f"student.unlabeled_passes={ENDLESS}"])
        undisturbed = measure("undisturbed", recipe, 60 * options.minutes, None, options.seed)
        killed = measure("with kills", recipe, 60 * options.minutes, options.every, options.seed)
    except ValueError as error:
        sys.exit(f"goodput: {error}")
    show(undisturbed, killed)
    print(json.dumps(figures(undisturbed, killed)))


def measure(what: str, recipe: Recipe, seconds: float, every: float | None, seed: int) -> TrainingRun:
    """Train for `seconds` from the first block on; ValueError if training ends by itself."""
    with tempfile.TemporaryDirectory(prefix="ssl-asr-goodput-") as folder, training(recipe, Path(folder)) as driver:
        wait_for_first_block(driver, folder)
        first, began, rng = frames_of(folder), time.time(), random.Random(seed)
        kills: list[float] = []
        progress = Progress(what, round(seconds), "s")
        while (spent := time.time() - began) < seconds:
            check(driver, folder)
            if every is not None and spent >= every * (len(kills) + 1) and kill_a_worker(driver, rng):
                kills.append(time.time())
            progress.advance(round(spent) - progress.done, f"{len(kills)} kills")
            time.sleep(0.1)
        frames, spent = frames_of(folder) - first, time.time() - began
        events = read_events(folder, "student")
    recoveries = [recovery_after(events, at) for at in kills]
    fixed = [each for each in recoveries if each is not None]
    return TrainingRun(frames, spent, restarts(events), fixed, len(kills) - len(fixed))


@contextmanager
def training(recipe: Recipe, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A driver on a temporary run; it shares with the recipe's run the folders that training only reads."""
    for entry in Path(recipe.run).iterdir():
        if entry.name not in WRITTEN:
            (folder / entry.name).symlink_to(entry.resolve())
    shutil.copytree(Path(recipe.run) / "models", folder / "models", ignore=shutil.ignore_patterns("student.*"))
    mine = recipe.model_copy(update={"run": str(folder)})
    with (folder / "driver.log").open("w") as log:
        command = [sys.executable, "-c", STUDENT, mine.model_dump_json()]
        driver = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield driver
    finally:
        below = descendants(driver)
        driver.kill()
        for each in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        driver.wait()


def check(driver: subprocess.Popen[bytes], folder: str) -> None:
    if driver.poll() is not None:
        raise ValueError(f"training ended: {(Path(folder) / 'driver.log').read_text()[-1000:]}")


def wait_for_first_block(driver: subprocess.Popen[bytes], folder: str) -> None:
    until = time.monotonic() + START_SECONDS
    while frames_of(folder) == 0:
        check(driver, folder)
        if time.monotonic() > until:
            raise ValueError(f"no block was trained within {START_SECONDS:.0f} s")
        time.sleep(0.1)


def frames_of(run: str) -> int:
    """Frames trained so far, each block counted once."""
    return sum(record["frames"] for record in read_curve(run, "student") if "loss" in record)


def kill_a_worker(driver: subprocess.Popen[bytes], rng: random.Random) -> bool:
    """Kills one worker; False if there is none, as between a loss and its recovery."""
    workers = [each for each in descendants(driver) if "RayTrainWorker" in title(each)]
    if workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            rng.choice(workers).kill()
    return bool(workers)


def descendants(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(psutil.Process(driver.pid).children(recursive=True))
    return []


def title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def figures(undisturbed: TrainingRun, killed: TrainingRun) -> dict[str, float]:
    """Seconds are medians over the kills; `time_share` is the share of time without recovery."""
    found = {f"{part}_s": median(getattr(each, part) for each in killed.recoveries) for part in PARTS}
    rates = [each.frames / each.seconds for each in (killed, undisturbed)]
    return {
        "goodput": round(rates[0] / rates[1], 4),
        "time_share": round(1 - sum(each.seconds for each in killed.recoveries) / killed.seconds, 4),
        "recovery_s": median(each.seconds for each in killed.recoveries),
        **found,
        "kills": len(killed.recoveries) + killed.unmended,
        "unmended": killed.unmended,
        "useful_frames": killed.frames,
        "undisturbed_frames": undisturbed.frames,
    }


def median(values: Iterator[float]) -> float:
    return round(statistics.median([*values] or [float("nan")]), 3)


def show(undisturbed: TrainingRun, killed: TrainingRun) -> None:
    print(f"{'':<14}{'minutes':>9}{'frames':>13}{'x real time':>13}{'restarts':>10}")
    for name, each in (("undisturbed", undisturbed), ("with kills", killed)):
        speed = each.frames * FRAME_SECONDS / each.seconds
        print(f"{name:<14}{each.seconds / 60:>9.1f}{each.frames:>13,}{speed:>13.0f}{each.restarts:>10}")
    print(f"\n{'seconds':<14}{'median':>9}{'longest':>13}")
    for part in (*PARTS, "seconds"):
        values = [getattr(each, part) for each in killed.recoveries] or [float("nan")]
        label = "recovery" if part == "seconds" else part
        print(f"{label:<14}{statistics.median(values):>9.2f}{max(values):>13.2f}")


if __name__ == "__main__":
    main()
