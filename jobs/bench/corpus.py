"""How fast the corpus stage lists a large unlabeled corpus, and how much memory its driver takes.

`python -m jobs.bench.corpus [--forms jsonl parquet] [--utterances 1000000 10000000] [--files 100] [--opened 20000]
[--folder DIR]` writes lists of so many utterances in so many files, without texts and with lengths: NeMo manifests,
or Parquet files with audio of some bytes. It lists each corpus by one process of Ray on one core, and by two on two.
The driver and Ray have no other cores, for the threads that write shards would use them. Of each form the first
corpus is also listed from a server of the S3 protocol, by two processes with which the server (moto, one process of
Python) shares the cores. Of unlabeled speech whose list has lengths audio is first read by the front end. What
opening costs elsewhere is measured by itself: of so many small FLAC files on the disk, in processor time of one
process.

It prints seconds, utterances a second and a core, and the peak of the driver's memory. The last line is one JSON
object: utterances a second of one core and how much faster two are, both of the largest corpus, and megabytes of the
driver by size, those of Parquet with `parquet_` before them; and audio files opened a second of a core.

Beside it stands what reading the same lists takes with a library, and no more: `json.loads` of each line, or the
same columns of Parquet as Python's objects.
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

import ray

from jobs.bench.corpus_lists import FORMS, Form, write_audio, write_small
from jobs.bench.memory import peak_megabytes
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.readers.registry import read_listed
from ssl_asr.corpus.stage import run_corpus
from ssl_asr.recipe import Corpus, load_recipe
from ssl_asr.store import filesystem
from tests.s3_server import s3_server

CHILD = "--child"


def main() -> None:
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=[*FORMS], help="of the lists (default: all)")
    parser.add_argument("--utterances", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--opened", type=int, default=20_000, help="audio files (default: 20000)")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="for lists and runs")
    options = parser.parse_args()
    keys: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        small = write_small(Path(folder))
        keys |= measure_opening(Path(folder, "audio"), options.opened)
        for form in (FORMS[name] for name in options.forms):
            for place, count in enumerate(sorted(options.utterances)):
                lists = form.write(Path(folder, f"lists-{count}"), count, options.files)
                keys |= measure(form, count, lists, small, Path(folder))
                if not place:
                    measure_in_bucket(form, count, lists, small)
                shutil.rmtree(lists)
    print(json.dumps({name: round(value, 2) for name, value in keys.items()}))


def measure_opening(folder: Path, count: int) -> dict[str, float]:
    """Of files that a list names without their lengths, by the threads that the stage has."""
    reading = read_listed("nemo", str(write_audio(folder, count)), texts=False)
    began = time.process_time()
    found = checked(reading, "unlabeled", Corpus())
    rate = len(found.utterances) / (time.process_time() - began)
    shutil.rmtree(folder)
    print(f"{len(found.utterances):,} audio files opened: {rate:,.0f} a second of a core", flush=True)
    return {"opened_per_core_s": rate}


def measure(form: Form, count: int, lists: Path, small: Path, folder: Path) -> dict[str, float]:
    baseline = count / form.read_alone(lists)
    print(
        f"{count:,} utterances in {len(os.listdir(lists))} files of {form.name}; {form.library} alone "
        f"{baseline:,.0f} a second"
    )
    seconds, megabytes = {}, {}
    for processes in (1, 2):
        run = str(folder / "run")
        seconds[processes], megabytes[processes] = listed(count, form.source(str(lists)), small, run, processes)
        shutil.rmtree(run)
    size = f"{count // 1_000_000}m" if count >= 1_000_000 else str(count)
    return {
        f"{form.prefix}utterances_per_core_s": count / seconds[1],
        f"{form.prefix}driver_mb_{size}": max(megabytes.values()),
        f"{form.prefix}speedup_2": seconds[1] / seconds[2],
    }


def measure_in_bucket(form: Form, count: int, lists: Path, small: Path) -> None:
    with s3_server() as server:
        os.environ.update(server.environment)
        bucket = server.create_bucket("corpus")
        for file in lists.iterdir():
            filesystem.write_bytes(f"{bucket}/lists/{file.name}", file.read_bytes())
        listed(count, form.source(f"{bucket}/lists"), small, f"{bucket}/run", 2)


def listed(count: int, source: str, small: Path, run: str, processes: int) -> tuple[float, float]:
    """Seconds and megabytes of a driver in its own process."""
    command = [sys.executable, "-m", "jobs.bench.corpus", CHILD, source, str(small), run, str(processes)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, megabytes = json.loads(told.splitlines()[-1])
    rate, where = count / seconds, "S3" if "://" in run else "local"
    print(
        f"  {where}, {processes} processes: {seconds:.1f} s, {rate:,.0f} utterances a second, "
        f"{rate / processes:,.0f} of a core; driver {megabytes:.0f} MB"
    )
    return seconds, megabytes


def child(source: str, small: str, run: str, processes: str) -> None:
    """The stage in a process of its own, whose peak of memory is the driver's."""
    own = [f"corpus.{split}=nemo:{small}" for split in ("labeled", "dev", "test")]
    fields = [*own, f"corpus.unlabeled={source}", "corpus.train_conditions=[clean]"]
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


if __name__ == "__main__":
    main()
