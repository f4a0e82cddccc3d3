"""Transcripts of any number of recordings on Ray: exactly once, resumable, with a list of what could not be used.

`ray job submit --working-dir . -- python jobs/transcribe.py BUNDLE OUT AUDIO...`, or without `ray job submit` on this
machine. BUNDLE and AUDIO as for `ssl-asr transcribe`. OUT and the bundle are folders that all machines reach: give
absolute paths, or OUT as a URI. OUT/transcripts/all/*.parquet has the transcripts (docs/formats.md), and
OUT/rejects.jsonl the rejects. The same command continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial

from ssl_asr.cli.engine_options import add_engine_options
from ssl_asr.cli.job_entry import JOB_MARK
from ssl_asr.cli.transcribe import MOST_ALTERNATIVES
from ssl_asr.cli.values import whole
from ssl_asr.progress import clock
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.runtime.job_runner import Pool, run_shard_jobs
from ssl_asr.serving.adapting import EngineOptions, open_engine
from ssl_asr.serving.exporting.of_run import bundle_of
from ssl_asr.serving.transcribing.bulk import (
    BulkOptions,
    TranscribeJob,
    delete_leftovers,
    list_inputs,
    outcome,
    unfinished,
)
from ssl_asr.store import filesystem


def main() -> int:
    """The exit code: 0, or 1 if anything could not be transcribed."""
    options = _options()
    try:
        return _transcribe(options)
    except Exception as error:
        if (sentence := sentence_of(error)) is None:
            raise
        print(f"transcribe: {sentence}", file=sys.stderr)
        return 1


def _transcribe(options: argparse.Namespace) -> int:
    if JOB_MARK in os.environ and "://" not in options.out and not os.path.isabs(os.path.expanduser(options.out)):
        raise ValueError(f"Ray deletes the folder of a job, and {options.out} with it; give OUT as an absolute path")
    out = filesystem.absolute(options.out)
    files = [filesystem.absolute(file) if file else None for file in (options.hotwords, options.lm)]
    engine = EngineOptions(filesystem.absolute(bundle_of(options.bundle, _say)), options.int8, *files)
    # Refused here, in one sentence, rather than in every actor.
    open_engine(engine, _say).check_alternatives(options.nbest)
    words = [word if ":" in word else filesystem.absolute(word) for word in options.audio]
    listing = list_inputs(out, words, channel=options.channel, shard_inputs=options.shard_inputs)
    delete_leftovers(out)
    bulk = BulkOptions(out, engine, options.nbest)
    todo = unfinished(bulk)
    with joined():
        failed = run_shard_jobs(
            "transcribe",
            todo,
            partial(TranscribeJob, bulk),
            skipped=listing.shards - len(todo),
            pool=Pool(1, options.actors),
        )
    found = outcome(out)
    rejects = [*found.rejects, *failed]
    lines = [json.dumps({"id": each.id, "reason": each.reason}) + "\n" for each in rejects]
    filesystem.write_bytes(filesystem.join(out, "rejects.jsonl"), "".join(lines).encode())
    print(f"{found.transcribed} transcribed ({clock(found.seconds)}), {len(rejects)} rejected: {out}/rejects.jsonl")
    return 1 if rejects else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("audio", nargs="+", metavar="AUDIO")
    parser.add_argument("--channel", type=whole(0, 1023), default=0, metavar="N", help="of audio files, from 0")
    parser.add_argument(
        "--nbest",
        type=whole(0, MOST_ALTERNATIVES),
        default=0,
        metavar="N",
        help="so many sentences for each segment",
    )
    add_engine_options(parser)
    parser.add_argument(
        "--actors",
        type=whole(1, 100_000),
        metavar="N",
        help="at most so many; default: as many as there are cores",
    )
    parser.add_argument(
        "--shard-inputs", type=whole(1, 100_000), default=50, metavar="N", help="inputs of a shard (default: 50)"
    )
    return parser.parse_args()


def _say(sentence: str) -> None:
    print(f"transcribe: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
