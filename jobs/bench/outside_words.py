"""How fast another recogniser's words come into a run's shards, and how much memory the driver takes.

`python -m jobs.bench.outside_words [--utterances 250000 1000000] [--processes 1] [--folder DIR]` writes JSON lines of
so many utterances of ten words, in random order, and a run whose made-up shards of features have these utterances, a
thousand each. The hypotheses stage then reads them, with so many processes of Ray. It prints seconds, utterances a
second, and the peak of the memory of the driver. The last line is one JSON object: utterances a second of the largest
file, and megabytes of the driver by size.

Beside it stands what reading the same lines with the standard library takes (`json.loads` of each, and no more).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import ray

from jobs.bench.memory import peak_megabytes
from ssl_asr.hypotheses.stage import run_hypotheses
from ssl_asr.progress import Progress
from ssl_asr.recipe import load_recipe
from ssl_asr.store import features
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore

SHARD, WORDS, FRAMES = 1000, 10, 400  # utterances of a shard; words and 10 ms frames of an utterance
VOCABULARY = [
    f"{first}{second}{third}" for first in "bdfgklm" for second in "aeiou" for third in ("", "t", "nd", "st")
]
CHILD = "--child"


def main() -> None:
    if sys.argv[1:2] == [CHILD]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, nargs="+", default=[250_000, 1_000_000])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="for the file and the run")
    options = parser.parse_args()
    keys: dict[str, float] = {}
    for count in sorted(options.utterances):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            keys |= measure(count, options.processes, Path(folder))
    print(json.dumps({name: round(value, 2) for name, value in keys.items()}))


def measure(count: int, processes: int, folder: Path) -> dict[str, float]:
    file, run = folder / "words.jsonl", folder / "run"
    write_words(file, count)
    write_features(str(run), count)
    print(f"{count:,} utterances, {file.stat().st_size / 1e6:.0f} MB; json.loads alone {json_seconds(file):.1f} s")
    command = [sys.executable, "-m", "jobs.bench.outside_words", CHILD, str(file), str(run), str(processes)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds, megabytes = json.loads(told.splitlines()[-1])
    print(f"  {processes} processes: {seconds:.1f} s, {count / seconds:,.0f} a second; driver {megabytes:.0f} MB")
    return {"utterances_s": count / seconds, f"driver_mb_{count}": megabytes}


def child(file: str, run: str, processes: str) -> None:
    """The stage in a process of its own, whose peak of memory is the driver's."""
    recipe = load_recipe("paper", [f"run={run}", f"hypotheses.teacher=jsonl:{file}"])
    limits = {"num_cpus": int(processes), "object_store_memory": 512 << 20, "include_dashboard": False}
    ray.init(address="local", logging_level="WARNING", log_to_driver=False, **limits)
    began = time.monotonic()
    report = run_hypotheses(recipe)
    seconds = time.monotonic() - began
    ray.shutdown()
    assert report.figures["not_in_the_file"] == 0, "every utterance has its words"
    print(json.dumps([seconds, peak_megabytes()]))


def write_words(file: Path, count: int) -> None:
    random = np.random.default_rng(0)
    words = np.array(VOCABULARY)
    with open(file, "w") as lines:
        for numbers in np.array_split(random.permutation(count), max(count // 10_000, 1)):
            said = words[random.integers(0, len(words), (len(numbers), WORDS))]
            lines.writelines(
                f'{{"id": "{_id(number)}", "hypothesis": "{" ".join(text)}"}}\n'
                for number, text in zip(numbers.tolist(), said.tolist(), strict=True)
            )


def write_features(run: str, count: int) -> None:
    """Rows without values, for the stage looks at none."""
    store, shards = ShardStore(run, features.STORE), -(-count // SHARD)
    progress = Progress("writing features", shards, "shards")
    for number in range(shards):
        ids = [_id(each) for each in range(number * SHARD, min((number + 1) * SHARD, count))]
        columns = {
            "id": ids,
            "speaker": ids,
            "condition": ["clean"] * len(ids),
            "num_frames": [FRAMES] * len(ids),
            "features": [b""] * len(ids),
        }
        slab, frames = pa.table(columns, features.SCHEMA), FRAMES * len(ids)
        shard = Shard("unlabeled", number)
        store.publish(shard, features.SCHEMA, [slab], [frames], seconds=frames / 100, parents={}, metadata={})
        progress.advance()


def json_seconds(file: Path) -> float:
    began = time.process_time()
    with open(file, "rb") as lines:
        for line in lines:
            json.loads(line)
    return time.process_time() - began


def _id(number: int) -> str:
    return f"{number // 250:06d}-{number:09d}"


if __name__ == "__main__":
    main()
