"""The loop of a live recogniser: audio as it comes, results as they are known, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssl_asr.decoding.scores import Float32
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.latency import Latencies, Pace
from ssl_asr.serving.streaming.stream import Stream


@dataclass(frozen=True)
class Heard:
    """`seconds` of audio that took `busy` seconds of work, and the latencies of its frames."""

    seconds: float
    busy: float
    latencies: Latencies

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of audio."""
        return self.busy / max(self.seconds, 1e-9)


def listen(stream: Stream, chunks: Iterable[Float32], pace: Pace, show: Callable[[Sequence[Final]], None]) -> Heard:
    """Give all chunks to the stream and finish it.

    `show` gets the final results of each chunk, often none; what it does counts as work. Frames that only the end of
    the audio has made known have no latency.
    """
    latencies = Latencies()
    for chunk in chunks:
        pace.begin(stream.seconds + len(chunk) / stream.sample_rate)
        show(stream.accept(chunk))
        latencies.add(stream.decoded_seconds, pace.end())
    pace.begin(stream.seconds)
    show(stream.finish())
    pace.end()
    return Heard(stream.seconds, pace.busy, latencies)


def in_chunks(blocks: Iterable[Float32], samples: int) -> Iterator[Float32]:
    """The same audio in chunks of so many samples; the last one may be shorter."""
    kept, count = list[Float32](), 0
    for block in blocks:
        kept.append(block)
        count += len(block)
        if count < samples:
            continue
        audio = np.concatenate(kept)
        whole = count // samples * samples
        yield from (audio[begin : begin + samples] for begin in range(0, whole, samples))
        kept, count = [audio[whole:]], count - whole
    if count:
        yield np.concatenate(kept)


def paced(chunks: Iterable[Float32], pace: Pace, sample_rate: int) -> Iterator[Float32]:
    """Each chunk when its last sample is there."""
    samples = 0
    for chunk in chunks:
        samples += len(chunk)
        pace.wait(samples / sample_rate)
        yield chunk
