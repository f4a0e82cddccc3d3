"""The cost of resuming with 1 % and with 99 % of 100,000 shards labelled, and a driver's memory at 500,000.

`python -m jobs.bench.ledger [--shards N] [--many N]` prints a table, then one JSON object as the last line. Timed is
`find_work`: all that the labelling stage does from its start until it knows what is to do, by the clock, without
imports, in a fresh process each. Three ways: with the ledger's index that an earlier attempt left (median of rounds
that take turns), without one, and as before there was one, when the entry of every shard was read. The driver's
memory is its peak resident set, with imports and what it shares with Ray: it finds the work, reading the entries of
features that no index knows, hands all to `run_shard_jobs` with a job that does nothing, and gets some rows back.
The run is of real ledger entries, just written, so that none is read from a cold disk; its Parquet files are links.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from jobs.bench.memory import peak_megabytes
from ssl_asr.labelling.shard_job import TargetParents
from ssl_asr.labelling.stage import SPLIT, find_work
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.models.model_files import save_model
from ssl_asr.progress import Progress
from ssl_asr.recipe import BlstmNetwork, Recipe, load_recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.job_runner import run_shard_jobs
from ssl_asr.runtime.shard_maker import source_of_entry
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.layout import index_folder
from ssl_asr.store.ledger import LedgerEntry, Shard, checksum
from ssl_asr.store.ledger_index import PARALLEL_READS, SETTLED_NS
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import model_uri

ROUNDS, ROWS_BACK = 5, 1000
SHARES = {"1pct": 0.01, "99pct": 0.99}
K = {"1pct": 10, "99pct": 11, "driver": 12}  # labelling.k: each has targets of its own from the same features
LINKS = 50_000  # to one file: fewer than any file system allows
Parents = Callable[[int], dict[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=100_000, help="of the run that is resumed (default: 100000)")
    parser.add_argument("--many", type=int, default=500_000, help="shards handed to Ray Data (default: 500000)")
    parser.add_argument("--child", nargs=3, metavar=("WAY", "WHOSE", "RUN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, whose, run = options.child
        print(CHILDREN[way](recipe_of(run, whose)))
        return
    run = tempfile.mkdtemp(prefix="ssl-asr-ledger-")
    try:
        figures = measure(run, options.shards, options.many)
    finally:
        remove(run)
    show(figures, options.shards, options.many)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def recipe_of(run: str, whose: str) -> Recipe:
    return load_recipe("demo", [f"run={run}", f"labelling.k={K[whose]}"])


def measure(run: str, shards: int, many: int) -> dict[str, float]:
    """Seconds by method and share, megabytes of the driver."""
    save_teacher(recipe_of(run, "driver"))
    write_features(run, 0, shards)
    for whose, share in SHARES.items():
        write_targets(recipe_of(run, whose), round(share * shards))
    figures = {f"every_entry_s_{whose}": child("every_entry", whose, run) for whose in SHARES}
    for whose in SHARES:
        shutil.rmtree(index_folder(str(run), features.STORE), ignore_errors=True)
        figures[f"no_index_s_{whose}"] = child("find", whose, run)
    rounds = [{whose: child("find", whose, run) for whose in SHARES} for _ in range(ROUNDS)]
    figures |= {f"resume_s_{whose}": statistics.median(each[whose] for each in rounds) for whose in SHARES}
    write_features(run, shards, many, alike=True)
    return figures | {"driver_mb_500k": child("driver", "driver", run)}


def save_teacher(recipe: Recipe) -> None:
    """Saves a small, untrained teacher: resuming loads it to check that it fits."""
    inputs = recipe.frontend.stack * recipe.frontend.mel_bins
    teacher = AcousticModel(ModelSpec(BlstmNetwork(layers=2, units=64), inputs, 90))
    save_model(model_uri(recipe.run, "teacher"), teacher, {"key": "none", "senone_set": "none"})


def write_features(run: str, begin: int, end: int, alike: bool = False) -> None:
    """Writes entries as long as the front end's; if all are `alike`, they are links to one file."""
    parents = dict.fromkeys(("manifest", "prior", "recipe"), "0123456789abcdef")
    sums = [1234567.8901234] * 64
    write(ShardStore(run, features.STORE), range(begin, end), lambda _: parents, alike, sum=sums, square_sum=sums)


def write_targets(recipe: Recipe, end: int) -> None:
    parents = TargetParents(recipe).shared
    store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
    means = {"kept_mass": 0.97, "entropy_nats": 1.3, "bytes_per_frame": 38.2}
    write(store, range(end), lambda number: {**parents, "features": checksum(b"%d" % number)}, False, **means)


def write(store: ShardStore, numbers: range, parents: Parents, alike: bool, **figures: object) -> None:
    progress, sizes = Progress(f"writing {store.name[:8]}", len(numbers), "shards"), (9, 72_000, 720.0, (36_000,) * 2)
    for number in numbers:
        shard = Shard(SPLIT, number)
        entry = LedgerEntry(store.name, shard, *sizes, checksum(b"%d" % number), parents(number), figures)
        if progress.done % LINKS == 0:
            first = shard
            filesystem.write_bytes(store.uri(shard), b"PAR1")
            filesystem.write_bytes(store.ledger_uri(shard), entry.to_json())
        else:
            os.link(store.uri(first), store.uri(shard))
            if alike:
                os.link(store.ledger_uri(first), store.ledger_uri(shard))
            else:
                Path(store.ledger_uri(shard)).write_bytes(entry.to_json())
        progress.advance()
    os.sync()
    time.sleep(SETTLED_NS / 1e9)  # until all entries are old enough for an index


def remove(run: str) -> None:
    """Deletes files in the order of writing, which is faster than the order of the folders."""
    files = sorted(os.path.join(folder, name) for folder, _, names in os.walk(run) for name in names)
    progress = Progress("removing", len(files), "files")
    for file in files:
        os.remove(file)
        progress.advance()
    shutil.rmtree(run)


def child(way: str, whose: str, run: str) -> float:
    """The figure that a fresh process prints."""
    command = [sys.executable, "-m", "jobs.bench.ledger", "--child", way, whose, run]
    figure = float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    print(f"  {way} {whose}: {figure:.2f}", file=sys.stderr, flush=True)
    return figure


def find(recipe: Recipe) -> float:
    began = time.perf_counter()
    find_work(recipe)
    return time.perf_counter() - began


def every_entry(recipe: Recipe) -> float:
    began = time.perf_counter()
    sources, parents = ShardStore(recipe.run, features.STORE).entries(SPLIT), TargetParents(recipe)
    store = ShardStore(recipe.run, targets.store_name(target_set_id(recipe)))
    wanted = [parents(source_of_entry(entry)) for entry in sources]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        list(pool.map(store.is_done, [entry.shard for entry in sources], wanted))
    return time.perf_counter() - began


def no_job(shard: Shard) -> None: ...


class Enough(ValueError):
    """Ends `run_shard_jobs`, which takes a ValueError for a refusal."""


def driver(recipe: Recipe) -> float:
    """Peak megabytes of this process."""
    back = iter(range(ROWS_BACK))

    def count(_: float) -> None:
        if next(back, None) is None:
            raise Enough

    work = find_work(recipe)
    with joined(), suppress(Enough):
        run_shard_jobs("no job", work.todo, lambda: no_job, on_shard=count)
    return peak_megabytes()


LABELS = {"resume": "with the index", "no_index": "without one, makes it", "every_entry": "baseline: every entry"}
CHILDREN: dict[str, Callable[[Recipe], float]] = {"find": find, "every_entry": every_entry, "driver": driver}


def show(figures: dict[str, float], shards: int, many: int) -> None:
    print(f"{f'seconds to find the work of {shards:,} shards':<48}{'1 % done':>10}{'99 % done':>11}{'ratio':>8}")
    for way, label in LABELS.items():
        one, most = (figures[f"{way}_s_{whose}"] for whose in SHARES)
        print(f"{label:<48}{one:>10.2f}{most:>11.2f}{most / one:>8.2f}")
    print(f"{f'peak MB of a driver with {many:,} shards':<48}{figures['driver_mb_500k']:>10.0f}")


if __name__ == "__main__":
    main()
