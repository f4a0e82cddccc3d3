"""How fast the corpus stage lists a large unlabeled corpus, and how much memory its driver takes.

`python -m jobs.bench.corpus [--utterances 1000000 10000000] [--files 100] [--folder DIR]` writes NeMo manifests of so
many utterances in so many files, without texts and with lengths, and lists each corpus by one process of Ray on one
core, and by two on two. The driver and Ray have no other cores, for the threads that write shards would use them.
Audio is not opened: of unlabeled speech whose list has lengths it is first read by the front end. The first corpus is
also listed from a server of the S3 protocol, by two processes with which the server (moto, one process of Python)
shares the cores. It prints seconds, utterances a second and a core, and the peak of the driver's memory. The last
line is one JSON object: utterances a second of one core and how much faster two are, both of the largest corpus, and
megabytes of the driver by size.

Beside it stands what reading the same lines with the standard library takes (`json.loads` of each, and no more).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import ray
import soundfile

from jobs.bench.memory import peak_megabytes
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.progress import Progress
from ssl_asr.recipe import load_recipe
from ssl_asr.store import filesystem
from tests.s3_server import s3_server

SPEAKER_UTTERANCES = 250  # of 10 s in the mean, 40 minutes
CHILD = "--child"


def main() -> None:
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="for lists and runs")
    options = parser.parse_args()
    keys: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        small = write_small(Path(folder))
        for place, count in enumerate(sorted(options.utterances)):
            lists = write_lists(Path(folder, f"lists-{count}"), count, options.files)
            keys |= measure(count, lists, small, Path(folder))
            if not place:
                measure_in_bucket(count, lists, small)
            shutil.rmtree(lists)
    print(json.dumps({name: round(value, 2) for name, value in keys.items()}))


def measure(count: int, lists: Path, small: Path, folder: Path) -> dict[str, float]:
    baseline = count / json_seconds(lists)
    print(f"{count:,} utterances in {len(os.listdir(lists))} files; json.loads alone {baseline:,.0f} a second")
    seconds, megabytes = {}, {}
    for processes in (1, 2):
        seconds[processes], megabytes[processes] = listed(count, str(lists), small, str(folder / "run"), processes)
        shutil.rmtree(folder / "run")
    size = f"{count // 1_000_000}m" if count >= 1_000_000 else str(count)
    return {
        "utterances_per_core_s": count / seconds[1],
        f"driver_mb_{size}": max(megabytes.values()),
        "speedup_2": seconds[1] / seconds[2],
    }


def measure_in_bucket(count: int, lists: Path, small: Path) -> None:
    with s3_server() as server:
        os.environ.update(server.environment)
        bucket = server.create_bucket("corpus")
        for file in lists.iterdir():
            filesystem.write_bytes(f"{bucket}/lists/{file.name}", file.read_bytes())
        listed(count, f"{bucket}/lists", small, f"{bucket}/run", 2)


def listed(count: int, lists: str, small: Path, run: str, processes: int) -> tuple[float, float]:
    """Seconds and megabytes of a driver in its own process."""
    command = [sys.executable, "-m", "jobs.bench.corpus", CHILD, lists, str(small), run, str(processes)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, megabytes = json.loads(told.splitlines()[-1])
    rate, where = count / seconds, "S3" if "://" in run else "local"
    print(
        f"  {where}, {processes} processes: {seconds:.1f} s, {rate:,.0f} utterances a second, "
        f"{rate / processes:,.0f} of a core; driver {megabytes:.0f} MB"
    )
    return seconds, megabytes


def child(lists: str, small: str, run: str, processes: str) -> None:
    """The stage in a process of its own, whose peak of memory is the driver's."""
    own = [f"corpus.{split}=nemo:{small}" for split in ("labeled", "dev", "test")]
    fields = [*own, f"corpus.unlabeled=nemo:{lists}/*.jsonl", "corpus.train_conditions=[clean]"]
    plain = ["corpus.labeled_copies=0", "corpus.unlabeled_copies=0", "corpus.test_conditions=[clean]"]
    recipe = load_recipe("paper", [*fields, *plain, "corpus.dev_conditions=[clean]", f"run={run}"])
    limits = {"num_cpus": int(processes), "object_store_memory": 512 << 20, "include_dashboard": False}
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(processes)])
    ray.init(address="local", logging_level="WARNING", log_to_driver=False, **limits)
    began = time.monotonic()
    run_corpus(recipe)
    seconds = time.monotonic() - began
    ray.shutdown()
    print(json.dumps([seconds, peak_megabytes()]))


def write_lists(folder: Path, count: int, files: int) -> Path:
    folder.mkdir()
    random = np.random.default_rng(0)
    progress = Progress(f"writing {count:,} lines", files, "files")
    for file in range(files):
        numbers = range(count * file // files, count * (file + 1) // files)
        lengths = random.uniform(4, 16, len(numbers)).round(2).tolist()
        with open(folder / f"part-{file:04}.jsonl", "w") as lines:
            lines.writelines(map(_line, numbers, lengths))
        progress.advance()
    return folder


def _line(number: int, seconds: float) -> str:
    speaker = number // SPEAKER_UTTERANCES
    audio = f"s3://speech/audio/{speaker:07d}/{number:010d}.flac"
    return f'{{"audio_filepath": "{audio}", "duration": {seconds}, "speaker": "s{speaker:07d}"}}\n'


def write_small(folder: Path) -> Path:
    """A list for the other splits."""
    soundfile.write(folder / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(16000 * 4), 16000)
    rows = [
        {"audio_filepath": "a.wav", "id": f"{place}", "text": "one of a few", "speaker": "a"} for place in range(5)
    ]
    (folder / "small.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "small.jsonl"


def json_seconds(lists: Path) -> float:
    began = time.process_time()
    for file in lists.iterdir():
        for line in file.read_bytes().split(b"\n"):
            if line:
                json.loads(line)
    return time.process_time() - began


if __name__ == "__main__":
    main()
