"""The control plane of a million hours: how soon each command knows what is left, and how much memory it takes.

`python -m jobs.bench.rehearsal RUN [--shards N] [--s3-shards N]` prints a table, then one JSON object as the last
line. RUN is a finished run. Beside it a copy is made whose unlabeled shards are those of RUN again and again, as
links, N (default: 500,000) in each store. Timed are, each in its own process with imports: the corpus stage, the
front end, labelling and the training of the student until they know what is to be done, `status`, and
`verify --sample`. Each is timed twice. The first time reads the entries of all shards, and leaves the ledger's index;
the second finds it, as a command does after a kill, which is the start that has a bar. The copy with fewer shards
lies in a bucket of the S3 protocol, on a server of one process (moto) that shares the cores. Memory is the process's
peak.

Below each table stands which first and second starts take longer than the bar. The keys are of the local run:
`slowest_start_s` of the second starts, `slowest_first_s` of the first, and the largest memory of all.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from jobs.bench.memory import peak_megabytes
from ssl_asr.cli.main import main as command
from ssl_asr.corpus.shuffle import buckets_store
from ssl_asr.corpus.split_records import read_record, split_content, split_inputs, write_record
from ssl_asr.corpus.stage import todo_corpus
from ssl_asr.frontend.stage import prior_of_today, shard_stage
from ssl_asr.labelling.stage import find_work
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.report.status import status_table
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.inventory import store_names
from ssl_asr.store.layout import MANIFEST, index_folder, split_folder, split_ledger_folder
from ssl_asr.store.ledger_index import SETTLED_NS
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.utterance import SPLITS
from ssl_asr.training.acoustic_plan import job_of, student_plan
from tests.s3_server import s3_server

SPLIT = "unlabeled"
SAMPLE = 20
SLOWEST_START = 120  # seconds: the bar of a start after a kill
LINKS = 50_000  # to one file: fewer than any file system allows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a finished run")
    parser.add_argument("--shards", type=int, default=500_000, help="of unlabeled speech (default: 500000)")
    parser.add_argument("--s3-shards", type=int, default=5_000, help="of the run in a bucket (default: 5000)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.child, options.run)))
        return
    with copy_of(options.run, options.shards) as run:
        local = show(run, f"{options.shards:,} shards, local")
    with copy_of(options.run, options.s3_shards) as run, s3_server() as server:
        os.environ.update(server.environment)
        bucket = server.create_bucket("rehearsal")
        upload(Path(run), bucket)
        show(f"{bucket}/run", f"{options.s3_shards:,} shards, S3")
    keys = {"slowest_start_s": max(second for _, second, _ in local)}
    keys |= {"slowest_first_s": max(first for first, _, _ in local), "driver_mb": max(mb for *_, mb in local)}
    print(json.dumps({name: round(value, 1) for name, value in keys.items()}))


@contextmanager
def copy_of(run: str, shards: int) -> Iterator[str]:
    """Beside `run`, since links lead to its files."""
    source = Path(run).resolve()
    with tempfile.TemporaryDirectory(dir=source.parent, prefix="rehearsal-") as folder:
        copy = Path(folder, "run")
        stores = [name for name in store_names(str(source)) if SPLIT in ShardStore(str(source), name).splits()]
        places = (split_folder, split_ledger_folder)
        folders = [place(str(source), store, SPLIT) for store in stores for place in places]
        ignored = {*folders, str(source / "cache")}
        shutil.copytree(
            source,
            copy,
            copy_function=os.link,
            ignore=lambda at, names: [name for name in names if os.path.join(at, name) in ignored],
        )
        for each in folders:
            multiply(Path(each), copy / Path(each).relative_to(source), shards)
        keep_records(str(copy), shards)
        os.sync()
        time.sleep(SETTLED_NS / 1e9)  # until all entries are old enough for an index
        yield str(copy)
        progress = Progress("removing", len(folders), "folders")
        for each in folders:  # in the order of writing, which is faster than the order of the folder
            for number in range(shards):
                name = f"{number:06d}{next(Path(each).iterdir()).suffix}"
                (copy / Path(each).relative_to(source) / name).unlink(missing_ok=True)
            progress.advance()


def multiply(source: Path, folder: Path, count: int) -> None:
    files = sorted(source.iterdir())
    folder.mkdir(parents=True)
    progress = Progress(f"{folder.parent.name[:12]} {folder.name}", count, "shards")
    for number in range(count):
        like = files[number % len(files)]
        target = folder / f"{number:06d}{like.suffix}"
        if number // len(files) % LINKS < LINKS - 100:
            os.link(like, target)
        else:
            shutil.copyfile(like, target)
        progress.advance()


def keep_records(run: str, shards: int) -> None:
    """The corpus stage finds that all of these shards were cut, by this version of it."""
    store = buckets_store(run)
    (bucket,) = store.shards(SPLIT)
    entry = store.entry(bucket)
    assert entry is not None
    entry = replace(entry, statistics={**entry.statistics, "shards": list(range(shards))})
    filesystem.write_bytes(store.ledger_uri(bucket), entry.to_json())
    recipe = open_recipe(run)
    for split in SPLITS:
        record = read_record(run, split)
        assert record is not None
        if split == SPLIT:
            record = replace(record, shards=shards, content=split_content(run, split))
        write_record(run, split, replace(record, inputs=split_inputs(recipe, split)))
    shutil.rmtree(index_folder(run, MANIFEST))


def upload(run: Path, bucket: str) -> None:
    files = [file for file in run.rglob("*") if file.is_file()]
    progress = Progress("uploading", len(files), "files")
    for file in files:
        filesystem.write_bytes(f"{bucket}/run/{file.relative_to(run)}", file.read_bytes())
        progress.advance()


def show(run: str, title: str) -> list[tuple[float, float, float]]:
    """Prints (first, second, megabytes) of each command, and returns them."""
    print(f"{title:<34}{'first s':>9}{'again s':>9}{'MB':>7}  found")
    rows = []
    for name in COMMANDS:
        (first, _, found), (second, size, _) = child(name, run), child(name, run)
        rows.append((first, second, size))
        print(f"  {name:<32}{first:>9.1f}{second:>9.1f}{size:>7.0f}  {found}", flush=True)
    firsts, seconds, _ = (dict(zip(COMMANDS, column, strict=True)) for column in zip(*rows, strict=True))
    print(f"  first, without an index: {over_the_bar(firsts)}")
    print(f"  again, as after a kill: {over_the_bar(seconds)}", flush=True)
    return rows


def over_the_bar(seconds: Mapping[str, float]) -> str:
    """Which commands, by their seconds, take longer than a start after a kill may."""
    slow = [f"{name} {each:.1f} s" for name, each in seconds.items() if each > SLOWEST_START]
    return f"more than {SLOWEST_START} s: {', '.join(slow)}" if slow else f"none takes more than {SLOWEST_START} s"


def child(name: str, run: str) -> tuple[float, float, str]:
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "jobs.bench.rehearsal", run, "--child", name],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    size, found = json.loads(told.splitlines()[-1])
    return time.monotonic() - began, size, found


def measured(name: str, run: str) -> tuple[float, str]:
    """Peak megabytes, and what the command found."""
    found = COMMANDS[name](open_recipe(run))
    return peak_megabytes(), found


def corpus(recipe: Recipe) -> str:
    return f"{len(todo_corpus(recipe, []))} splits to list"


def frontend(recipe: Recipe) -> str:
    return f"{len(shard_stage(recipe, prior_of_today(recipe)).unfinished()):,} shards to make"


def labelling(recipe: Recipe) -> str:
    return f"{len(find_work(recipe).todo):,} shards to label"


def training(recipe: Recipe) -> str:
    job = job_of(recipe, student_plan(recipe))
    return f"{sum(len(source) for source in job.sources):,} slabs to train on"


def status(recipe: Recipe) -> str:
    return f"{len(status_table(recipe).splitlines())} lines"


def verify(recipe: Recipe) -> str:
    return f"exit code {command(['verify', recipe.run, '--sample', str(SAMPLE)])}"


COMMANDS: dict[str, Callable[[Recipe], str]] = {
    each.__name__: each for each in (corpus, frontend, labelling, training, status, verify)
}

if __name__ == "__main__":
    main()
