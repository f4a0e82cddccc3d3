"""How fast a stream is recognised, how late its words are, and how many streams one core serves in time.

`python -m jobs.bench.streaming RUN BUNDLE [--minutes N]` prints tables, then one JSON object as the last line. RUN
is an evaluated run, whose clean test speech is heard: clip after clip with pauses of 0.1 to 3 s. BUNDLE is its
student's. All is done in one thread, and the partial result is asked for after each chunk.

The latency is that of every 30 ms of audio, from its end to the moment when results that take it into account are
known. Nothing sleeps: a chunk comes when it would come live, and the processor time that its work takes is measured.
In the second table several streams share the thread, begin at random times and places of the speech, and are served
for 20 s each in the order in which their chunks come. Streams a core are the most whose latency has a 95th percentile
of at most 300 ms. Confidences of final words need a lattice of the whole utterance when it ends, which keeps the
other streams waiting. A server computes them only for clients that ask, so the keys of the last line are those of
words alone; those `_with_confidences` are beside them.

The student of 24 M parameters (5 x 768 units, 3,183 senones) has random weights. Its outputs would be noise, in
which a search takes longest. So it runs beside the bundle's student, whose scores are searched: its figures are those
of its own network, of a small one, and of the demo's search. It recognises nothing of its own.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.bench.recorded import Talk, clips, talk
from jobs.bench.streaming_networks import beside, large_networks
from jobs.bench.streaming_peers import pocketsphinx_heard, sherpa_heard
from ssl_asr.decoding.scores import Float32
from ssl_asr.progress import Progress
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.serving.results import Final
from ssl_asr.serving.senone_engine import SenoneEngine
from ssl_asr.serving.streaming.latency import Latencies, Pace
from ssl_asr.serving.streaming.listening import Heard, in_chunks, listen
from ssl_asr.serving.streaming.stream import Stream

CHUNKS = (30, 100, 300)  # milliseconds
CHUNK = 100
LATEST, MOST_STREAMS = 0.3, 128
HOPELESS = 3.0  # seconds by which a chunk is late


@dataclass(frozen=True)
class Row:
    """One stream of a system at one length of chunk."""

    system: str
    milliseconds: int
    real_time_factor: float
    p50: float
    p95: float

    def line(self) -> str:
        latency = f"{1000 * self.p50:>9.0f}{1000 * self.p95:>9.0f}"
        return f"{self.system:<44}{self.milliseconds:>9}{self.real_time_factor:>18.3f}{latency}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="an evaluated run")
    parser.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made of its student")
    parser.add_argument("--minutes", type=float, default=2.0, help="of speech, for each row (default: 2)")
    parser.add_argument(
        "--sherpa", type=Path, metavar="DIR", help="what `ssl-asr export --for sherpa-onnx` made of it"
    )
    options = parser.parse_args()
    try:
        engines = {kind: SenoneEngine.open(options.bundle, quantised=kind == "int8") for kind in ("fp32", "int8")}
        chosen = clips(open_recipe(options.run), options.minutes)
    except ValueError as error:
        sys.exit(f"streaming: {error}")
    spoken, wider = (talk(chosen, rate) for rate in (engines["fp32"].sample_rate, 16000))
    systems = all_systems(engines)
    rows = [*our_rows(systems, spoken), *peer_rows(spoken, wider, options.sherpa)]
    print_rows(rows, spoken)
    served = {each.name: most_streams(each, spoken) for each in systems}
    print_streams(served)
    words, confident = systems[0].name, systems[1].name
    print(json.dumps({**keys(words, rows, served), **keys(confident, rows, served, "_with_confidences")}))


def keys(system: str, rows: Sequence[Row], served: Mapping[str, int], ending: str = "") -> dict[str, float]:
    row = next(row for row in rows if (row.system, row.milliseconds) == (system, CHUNK))
    figures = {"rtf": round(row.real_time_factor, 4), "p95_ms": round(1000 * row.p95)}
    return {f"{key}{ending}": value for key, value in {**figures, "streams_per_core": served[system]}.items()}


def print_rows(rows: Sequence[Row], spoken: Talk) -> None:
    print(f"{spoken.seconds / 60:.1f} minutes of speech with pauses, one thread")
    print(f"{'one stream':<44}{'chunk ms':>9}{'real-time factor':>18}{'p50 ms':>9}{'p95 ms':>9}")
    print("\n".join(row.line() for row in rows))
    print("the 24 M student has random weights and recognises nothing: the demo student's scores are searched")


def print_streams(served: Mapping[str, int]) -> None:
    print(f"{f'streams a core, {CHUNK} ms chunks, p95 at most {1000 * LATEST:.0f} ms':<62}{'streams':>9}")
    print("\n".join(f"{name:<62}{count:>9}" for name, count in served.items()))


@dataclass(frozen=True)
class System:
    """An engine, and whether its final words get confidences."""

    name: str
    engine: SenoneEngine
    confidences: bool = False

    def stream(self) -> Stream:
        return self.engine.stream(confidences=self.confidences)


def all_systems(engines: dict[str, SenoneEngine]) -> list[System]:
    """Demo student, without confidences of its final words and with; then 24 M without; both in both precisions."""
    networks = large_networks(engines["fp32"])
    return [
        *(
            System(f"demo student, {kind}{', confidences' if confidences else ''}", engine, confidences)
            for kind, engine in engines.items()
            for confidences in (False, True)
        ),
        *(System(f"24 M student, {kind}", beside(each, networks[kind])) for kind, each in engines.items()),
    ]


def our_rows(systems: Sequence[System], spoken: Talk) -> Iterator[Row]:
    progress = Progress("one stream", len(systems) * len(CHUNKS), "rows")
    for system in systems:
        for milliseconds in CHUNKS:
            yield row(system.name, milliseconds, heard_by(system.stream(), spoken, milliseconds))
            progress.advance()


def peer_rows(spoken: Talk, wider: Talk, sherpa: Path | None) -> Iterator[Row]:
    """`wider` is the same speech at 16 kHz; `sherpa` is a folder."""
    if sherpa is not None:
        for milliseconds in CHUNKS:
            yield row("sherpa-onnx, demo student", milliseconds, sherpa_heard(sherpa, spoken, milliseconds))
    for milliseconds in CHUNKS:
        yield row("pocketsphinx, its own models", milliseconds, pocketsphinx_heard(wider, milliseconds))


def row(system: str, milliseconds: int, heard: Heard) -> Row:
    p50, p95 = (heard.latencies.percentile(percent) for percent in (50, 95))
    return Row(system, milliseconds, heard.real_time_factor, p50, p95)


def heard_by(stream: Stream, spoken: Talk, milliseconds: int) -> Heard:
    def show(finals: Sequence[Final]) -> None:
        stream.partial()

    return listen(
        stream, in_chunks([spoken.samples], spoken.rate * milliseconds // 1000), Pace(False, time.process_time), show
    )


def most_streams(system: System, spoken: Talk) -> int:
    """That one core serves in time: the number is doubled until it is too large, then found by halving."""
    good, bad = 0, 4
    while bad <= MOST_STREAMS and in_time(system, spoken, bad):
        good, bad = bad, 2 * bad
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if in_time(system, spoken, middle) else (good, middle)
    return good


def in_time(system: System, spoken: Talk, streams: int) -> bool:
    found = crowd(system, spoken, streams)
    return found is not None and found.percentile(95) <= LATEST


def crowd(system: System, spoken: Talk, streams: int, seconds: float = 20.0) -> Latencies | None:
    """Of so many streams for `seconds` of audio each, in one thread; None if they would come ever later."""
    random, size = np.random.default_rng(streams), spoken.rate * CHUNK // 1000
    starts = random.random(streams) * CHUNK / 1000
    places = random.integers(0, len(spoken.samples), streams)
    parts = [in_chunks([_part(spoken, int(place), seconds)], size) for place in places]
    all_streams = [system.stream() for _ in range(streams)]
    latencies, pace = [Latencies() for _ in range(streams)], Pace(False, time.process_time)
    waiting = [(start + CHUNK / 1000, number) for number, start in enumerate(starts.tolist())]
    heapq.heapify(waiting)
    while waiting:
        comes, number = heapq.heappop(waiting)
        chunk = next(parts[number], None)
        if chunk is None:
            continue
        pace.begin(comes)
        all_streams[number].accept(chunk)
        all_streams[number].partial()
        now = pace.end()
        latencies[number].add(all_streams[number].decoded_seconds, now - float(starts[number]))
        if now - comes > HOPELESS:
            return None
        heapq.heappush(waiting, (comes + CHUNK / 1000, number))
    every = Latencies()
    for each in latencies:
        every.merge(each)
    return every


def _part(spoken: Talk, begin: int, seconds: float) -> Float32:
    """So many seconds from there on; behind the end the talk begins again."""
    return np.resize(np.roll(spoken.samples, -begin), round(seconds * spoken.rate))


if __name__ == "__main__":
    main()
