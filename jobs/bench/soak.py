"""A server at its limit of clients for ten minutes, with hostile ones among them: are finals lost, does memory grow?

`python -m jobs.bench.soak BUNDLE [--minutes N] [--clients N]` prints a table, then one JSON object as the last line.
Honest clients come one after another, `--at-once` at a time, and speak recorded speech in real time. A tenth of all
is hostile: garbage, half-open connections, floods of messages or pings, huge messages, or clients that read nothing.
They have places of their own beside the honest ones, so that they meet what they are for, and not the limit of
clients. An honest client's final is lost if its words are not those that the engine itself finds in the same audio.
The 95th percentile of the honest ones' latency is told with and without hostile clients at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from jobs.bench.segment import SAMPLE_RATE, recording
from jobs.bench.soak_hostile import FULL, Seen, attack
from ssl_asr.cli.serve import CLIENTS_A_WORKER
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.server.listener import Listener
from ssl_asr.serving.server.wire import Audio, Begin

HOSTILE_SHARE = 0.1
CHUNK_SECONDS = 0.2
TALKS = 8
ROOM = 4  # of the server's limit is for hostile clients
WARM_SHARE = 0.15  # of the time, after which memory should not grow
Samples = npt.NDArray[np.int16]
SERVE = "import sys; from ssl_asr.cli.main import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Talk:
    samples: Samples
    words: list[str]


@dataclass
class Figures:
    finals: int = 0
    lost: int = 0
    waits: int = 0  # refusals of honest clients, since the server was full
    latencies: list[tuple[float, float]] = field(default_factory=list)  # (when, seconds)
    hostile: Seen = field(default_factory=Seen)
    megabytes: list[tuple[float, float]] = field(default_factory=list)
    audio_seconds: float = 0.0
    processor: dict[str, float] = field(default_factory=dict)  # seconds of server and workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--minutes", type=float, default=10.0, help="default: 10")
    parser.add_argument("--clients", type=int, default=200, help="in all (default: 200)")
    parser.add_argument("--at-once", type=int, help=f"honest clients (default: {CLIENTS_A_WORKER} a core)")
    options = parser.parse_args()
    workers = len(os.sched_getaffinity(0))
    honest = options.clients - round(HOSTILE_SHARE * options.clients)
    at_once = min(options.at_once or CLIENTS_A_WORKER * workers, honest)
    seconds = options.minutes * 60 * at_once / honest
    found = talks(options.bundle, seconds)
    figures = asyncio.run(soak(options, found, workers=workers, at_once=at_once))
    show(figures, seconds)


def talks(bundle: str, seconds: float) -> list[Talk]:
    """Of so many seconds each, with the words that the engine finds in them."""
    engine, length = Engine.open(bundle), round(seconds * SAMPLE_RATE)
    audio = np.round(recording(TALKS * seconds / 60 + 0.1) * 32767).astype(np.int16)
    return [Talk(part, words_of(engine, part)) for part in (audio[n * length :][:length] for n in range(TALKS))]


def words_of(engine: Engine, samples: Samples) -> list[str]:
    listener, finals = Listener(engine, Begin(0, SAMPLE_RATE, "int16", False), Endpoints()), []
    for turn in (listener.hear(Audio(0, samples.tobytes())), listener.finish()):
        try:
            while True:
                next(turn)
        except StopIteration as done:
            finals += done.value.finals
    return [word.word for final in finals for word in final.words]


async def soak(options: argparse.Namespace, found: list[Talk], *, workers: int, at_once: int) -> Figures:
    limits = [f"--clients={at_once + ROOM}", "--idle-seconds=20", "--unread-seconds=5"]
    ports = ["--port=0", "--sherpa-port=0", f"--workers={workers}"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, "serve", options.bundle, *ports, *limits), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    port = re.search(r"port (\d+): Vosk", line)
    if port is None:
        raise ValueError(f"the server did not start: {line.strip()}")
    figures, ends = Figures(), time.monotonic() + options.minutes * 60
    try:
        watch = asyncio.create_task(watch_memory(process.pid, figures))
        await run_clients(int(port[1]), options.clients, found, figures, at_once=at_once, ends=ends)
        if watch.done():
            watch.result()  # why it has ended: perhaps there is no server any more
        watch.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    return figures


async def watch_memory(pid: int, figures: Figures) -> None:
    began = time.monotonic()
    while True:
        server, workers = psutil.Process(pid), psutil.Process(pid).children()
        size = sum(each.memory_info().rss for each in (server, *workers)) / 1e6
        figures.processor = {"server": processor(server), "workers": sum(map(processor, workers))}
        figures.megabytes.append((time.monotonic() - began, size))
        await asyncio.sleep(1)


def processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def run_clients(
    port: int, clients: int, found: list[Talk], figures: Figures, *, at_once: int, ends: float
) -> None:
    hostile = round(HOSTILE_SHARE * clients)
    talk = itertools.cycle(found)
    waiting = iter([next(talk) for _ in range(clients - hostile)])

    async def one_after_another(number: int) -> None:
        await asyncio.sleep(CHUNK_SECONDS * number)  # so that not all sentences end at once
        for each in waiting:
            await speak(port, each, figures)

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        strangers = asyncio.wrap_future(other.submit(attack, port, hostile, ROOM, ends))
        await asyncio.gather(*(one_after_another(number) for number in range(at_once)))
        figures.hostile = await strangers


async def speak(port: int, talk: Talk, figures: Figures) -> None:
    """An honest client; where the server is full, it tries again."""
    while True:
        try:
            async with connect(f"ws://127.0.0.1:{port}", open_timeout=60) as client:
                words = await heard(client, talk.samples, figures)
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == FULL:
                figures.waits += 1
                await asyncio.sleep(1)
                continue
            words = []
        except (OSError, TimeoutError):
            words = []
        figures.finals += 1
        figures.lost += words != talk.words
        return


async def heard(client: ClientConnection, samples: Samples, figures: Figures) -> list[str]:
    await client.send(json.dumps({"config": {"sample_rate": SAMPLE_RATE}}))
    words, step, began = list[str](), round(CHUNK_SECONDS * SAMPLE_RATE), time.monotonic()
    for begin in range(0, len(samples), step):
        due = began + (begin + step) / SAMPLE_RATE  # when it has been said
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        sent = time.monotonic()
        await client.send(samples[begin : begin + step].tobytes())
        reply = await client.recv()
        if "error" in (values := json.loads(reply)):
            await client.recv()  # the close
        words += values.get("text", "").split()
        figures.audio_seconds += CHUNK_SECONDS
        figures.latencies.append((sent, time.monotonic() - sent))
    await client.send('{"eof" : 1}')
    return words + str(json.loads(await client.recv())["text"]).split()


def show(figures: Figures, seconds: float) -> None:
    ends = figures.megabytes[-1][0]
    warm = [size for at, size in figures.megabytes if at <= WARM_SHARE * ends]
    late = [size for at, size in figures.megabytes if at > WARM_SHARE * ends]
    growth = max(0.0, statistics.median(late[-10:]) - max(warm))
    spans = figures.hostile.spans
    beside, alone = (
        [seconds for at, seconds in figures.latencies if any(a <= at <= b for a, b in spans) == is_beside]
        for is_beside in (True, False)
    )
    p95 = p95_ms([seconds for _, seconds in figures.latencies])
    print(f"{figures.finals} honest clients of {seconds:.0f} s each, {figures.lost} without all of their words")
    print(f"{figures.waits} times one had to come again, since the server was full")
    shares = {name: value / figures.audio_seconds for name, value in figures.processor.items()}
    told = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
    print(f"of a core, for an honest stream (all hostile work included): {told}")
    print(f"reply to {CHUNK_SECONDS:g} s of audio: 95 % within {p95} ms")
    for name, some in (("with hostile clients", beside), ("without", alone)):
        print(f"  {name:<24}{p95_ms(some)} ms, {len(some)} replies")
    print(
        f"server and workers: {max(warm):.0f} MB at first, {late[-1]:.0f} MB at the end, {max(late):.0f} MB at most"
    )
    for kind, count in sorted(figures.hostile.ends.items()):
        print(f"  {kind:<40}{count:>6}")
    result = {"lost_finals": figures.lost, "mb_growth": round(growth, 1), "p95_ms": p95}
    result |= {"p95_ms_with_hostile": p95_ms(beside), "p95_ms_without": p95_ms(alone)}
    streams = round(1 / sum(shares.values()), 1)
    refused = {"full": figures.waits, "hostile_full": figures.hostile.full}
    print(json.dumps({**result, "streams_per_core": streams, "clients": figures.finals, **refused}))


def p95_ms(seconds: Sequence[float]) -> float | None:
    return round(1000 * float(np.percentile(seconds, 95)), 1) if seconds else None


if __name__ == "__main__":
    main()
