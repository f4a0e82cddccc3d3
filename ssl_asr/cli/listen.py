"""`ssl-asr listen`: a recording or a microphone, recognised live in the terminal."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from io import BufferedReader
from typing import TYPE_CHECKING, Any, TextIO, cast

from ssl_asr.cli import endpoint_options
from ssl_asr.cli.engine_options import add_engine_options, engine_options_of
from ssl_asr.cli.interrupts import Interrupts
from ssl_asr.cli.saying import say
from ssl_asr.cli.values import whole

if TYPE_CHECKING:
    from ssl_asr.decoding.scores import Float32
    from ssl_asr.serving.engine import Engine
    from ssl_asr.serving.results import Final
    from ssl_asr.serving.streaming.latency import Pace
    from ssl_asr.serving.streaming.listening import Heard
    from ssl_asr.serving.streaming.stream import Stream

DOES = "recognises a recording or a microphone live, with words as they are said"
PIPE = "-"
ENCODINGS = ("u8", "s16le", "s24le", "s32le", "f32le", "f64le", "alaw", "mulaw")
ABOUT = f"""\
listen: {DOES}.

In a terminal the words of the utterance under way are on the last line, which is rewritten until they are
final. Elsewhere only final words are written, a line for each utterance. A file is heard as fast as it was
said. - is standard input, such as a microphone:

  arecord -f S16_LE -r 16000 | ssl-asr listen BUNDLE -
  ffmpeg -i talk.mp4 -f s16le -ac 1 -ar 16000 - | ssl-asr listen BUNDLE - --rate 16000

WAV on standard input says its own format. Anything else there is raw: --encoding, --rate and --channels
say how samples are written. Which format is read is told at the begin.

At the end, or after Ctrl-C, two figures are told. The latency is that of every 30 ms of audio: from its
end to the moment when words that take it into account are known. So it has the look-ahead of the network,
which waits for 90 ms more audio, the waiting for a whole chunk, and the computation. Half of the audio has
at most the latency p50, and 95 % of it p95. With --fast, and for standard input, it is what it would be if
the audio came as fast as it was said, on this machine; delays before standard input can't be known. The
real-time factor is seconds of computation for a second of audio.
"""


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("listen", description=ABOUT, help=DOES, formatter_class=raw)
    command.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made, or a run")
    command.add_argument("audio", metavar="FILE|-", help="a file or URI of audio, or - for standard input")
    command.add_argument("--fast", action="store_true", help="hear a file as fast as possible")
    command.add_argument(
        "--chunk-ms", type=whole(10, 5000), default=100, metavar="MS", help="of audio in a chunk; default: 100"
    )
    command.add_argument("--channel", type=whole(0, 1023), metavar="N", help="from 0; default: the first")
    add_engine_options(command)
    group = command.add_argument_group("raw samples on standard input")
    group.add_argument("--encoding", choices=ENCODINGS, help="as ffmpeg names it; default: s16le")
    group.add_argument("--rate", type=whole(1, 10**6), metavar="HZ", help="default: the bundle's sample rate")
    group.add_argument("--channels", type=whole(1, 1024), metavar="N", help="default: 1")
    endpoints = endpoint_options.add_endpoint_options(command)
    endpoints.add_argument("--no-endpoints", action="store_true", help="one utterance; memory grows with it")


def run(options: argparse.Namespace) -> bool:
    """False if Ctrl-C ended it. ValueError if nothing can be heard: no bundle, no audio."""
    from ssl_asr.serving.adapting import open_engine
    from ssl_asr.serving.streaming.latency import Pace
    from ssl_asr.serving.streaming.listening import listen
    from ssl_asr.serving.transcribing.transcriber import LEAST_SECONDS, too_short

    _check_audio(options)
    endpoints = None if options.no_endpoints else endpoint_options.endpoints_of(options)
    engine = open_engine(engine_options_of(options), say)
    with Interrupts() as interrupts:
        stream = engine.stream(endpoints=endpoints, confidences=False)
        pace = Pace(waits=not options.fast and options.audio != PIPE)
        screen = _Screen(stream, sys.stdout)
        heard = listen(stream, interrupts.until(_chunks(options, engine, pace)), pace, screen.show)
        screen.close()
        if heard.seconds < LEAST_SECONDS and not interrupts.came:
            raise ValueError(f"{_name(options)}: {too_short(heard.seconds)}")
        say(_figures(heard))
    return not interrupts.came


def _check_audio(options: argparse.Namespace) -> None:
    """ValueError for a folder, and for options of raw samples beside a file, which says its own format."""
    if options.audio == PIPE:
        return
    raw = next((name for name in ("encoding", "rate", "channels") if getattr(options, name) is not None), None)
    if raw is not None:
        raise ValueError(
            f"--{raw} is for raw samples on standard input; leave it out, {options.audio} says its format"
        )
    if os.path.isdir(options.audio):
        raise ValueError(f"{options.audio} is a folder; name one file in it, or use ssl-asr transcribe")


def _name(options: argparse.Namespace) -> str:
    return "standard input" if options.audio == PIPE else str(options.audio)


class _Screen:
    """Final results line by line; on a terminal, the words of the utterance under way below them."""

    def __init__(self, stream: Stream, out: TextIO) -> None:
        self._stream, self._out, self._live = stream, out, out.isatty()
        self._line = ""

    def show(self, finals: Sequence[Final]) -> None:
        said = [final.text for final in finals if final.words]
        line = self._shortened(self._stream.partial().text) if self._live else ""
        if said or line != self._line:
            before = "\r\033[K" if self._line else ""
            self._out.write(before + "".join(f"{text}\n" for text in said) + line)
            self._out.flush()
            self._line = line

    def close(self) -> None:
        """Leave the terminal as it should be."""
        if self._line:
            self._out.write("\r\033[K")
            self._out.flush()

    def _shortened(self, text: str) -> str:
        """The end of a text that is longer than a line, which could not be rewritten."""
        width = shutil.get_terminal_size().columns - 1
        return text if len(text) <= width else "..." + text[len(text) - max(width - 3, 0) :]


def _chunks(options: argparse.Namespace, engine: Engine, pace: Pace) -> Iterable[Float32]:
    from ssl_asr.serving.streaming.listening import in_chunks, paced

    if options.audio == PIPE:
        return _from_pipe(options, engine)
    from ssl_asr.corpus.audio import audio_blocks, channels_of

    if options.channel is None and (channels := channels_of(options.audio)) > 1:
        say(f"{options.audio}: it has {channels} channels, and the first is heard; --channel 1 takes the second")
    blocks = audio_blocks(options.audio, engine.sample_rate, channel=options.channel or 0)
    samples = max(round(options.chunk_ms * engine.sample_rate / 1000), 1)
    return paced(in_chunks(blocks, samples), pace, engine.sample_rate)


def _from_pipe(options: argparse.Namespace, engine: Engine) -> Iterable[Float32]:
    from ssl_asr.serving.streaming.pcm import PcmFormat, PcmReader

    raw = PcmFormat(options.encoding or "s16le", options.rate or engine.sample_rate, options.channels or 1)
    reader = PcmReader(cast(BufferedReader, sys.stdin.buffer), raw)
    heard = "" if reader.format.channels == 1 else f"; channel {options.channel or 0} is heard"
    say(f"standard input: {'WAV' if reader.is_wav else 'raw'}, {reader.format}{heard}")
    return reader.blocks(options.chunk_ms / 1000, engine.sample_rate, options.channel or 0)


def _figures(heard: Heard) -> str:
    p50, p95 = (heard.latencies.percentile(percent) for percent in (50, 95))
    latency = "" if math.isnan(p50) else f"latency p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms; "
    return f"{heard.seconds:.1f} s of audio; {latency}real-time factor {heard.real_time_factor:.3f}"
