"""`ssl-asr transcribe`: its options, and what it prints and writes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssl_asr.cli.engine_options import add_engine_options, engine_options_of
from ssl_asr.cli.saying import say, told
from ssl_asr.cli.values import whole
from ssl_asr.progress import clock

if TYPE_CHECKING:
    from ssl_asr.serving.transcribing.inputs import AudioInput, Found
    from ssl_asr.serving.transcribing.transcriber import Transcriber
    from ssl_asr.serving.transcribing.transcript import Transcript, TranscriptSegment
    from ssl_asr.store.ledger import Reject

DOES = "recognises audio: files, folders, patterns, URIs or READER:PATH"
FORMATS = ("txt", "json", "ctm", "srt", "vtt")
WITH_CONFIDENCES = ("json", "ctm")  # which take as long as the words
CAPTIONS = ("srt", "vtt")  # of one recording, by the form of the file
MOST_ALTERNATIVES = 10


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    command = commands.add_parser("transcribe", description=f"transcribe: {DOES}.", help=DOES)
    command.add_argument("bundle", metavar="BUNDLE", help="what `ssl-asr export` made, or a run")
    command.add_argument("audio", nargs="+", metavar="AUDIO", help="what to recognise")
    command.add_argument("-o", "--out", metavar="DIR", help="write a file for each input there, not to the terminal")
    command.add_argument(
        "--format", choices=FORMATS, default="txt", help="of what is printed or written; default: txt"
    )
    command.add_argument(
        "--channel", type=whole(0, 1023), metavar="N", help="of audio files, from 0; default: the first"
    )
    command.add_argument(
        "--nbest",
        type=whole(1, MOST_ALTERNATIVES),
        default=0,
        metavar="N",
        help="the N best sentences; with --format json alone",
    )
    add_engine_options(command)


def run(options: argparse.Namespace) -> bool:
    """True if all audio was transcribed. ValueError if nothing can be: no bundle, no such language model."""
    from ssl_asr.serving.adapting import open_engine
    from ssl_asr.serving.transcribing.inputs import audio_inputs
    from ssl_asr.serving.transcribing.names import told_apart, without_clashes
    from ssl_asr.serving.transcribing.transcriber import Transcriber
    from ssl_asr.store import filesystem

    if options.nbest and options.format != "json":
        raise ValueError(f"--nbest can't be written as {options.format}; add --format json")
    began = time.monotonic()
    found = audio_inputs(options.audio, options.channel or 0)
    found = without_clashes(found) if options.out else told_apart(found, options.audio)
    if options.format in CAPTIONS and not options.out:
        found = iter(_one_alone(found, options.format))
    engine = open_engine(engine_options_of(options), say)
    engine.check_alternatives(options.nbest)
    if options.out:
        filesystem.make_folder(options.out)
    confidences = options.format in WITH_CONFIDENCES
    transcriber = Transcriber(engine, alternatives=options.nbest, confidences=confidences)
    counts = _Counts()
    for each in found:
        _one(each, transcriber, options, counts)
    if options.out or counts.rejected or counts.transcribed > 1:
        say(counts.line(time.monotonic() - began))
    return not counts.rejected


def _one_alone(found: Found, kind: str) -> list[AudioInput | Reject]:
    """All of them; ValueError as soon as there are two recordings."""
    from ssl_asr.serving.transcribing.inputs import AudioInput

    first: list[AudioInput | Reject] = []
    for each in found:
        if isinstance(each, AudioInput) and any(isinstance(before, AudioInput) for before in first):
            raise ValueError(f"{kind} holds the captions of one recording; write a file for each with -o DIR")
        first.append(each)
    return first


class _Counts:
    def __init__(self) -> None:
        self.transcribed = self.rejected = 0
        self.seconds = 0.0
        self.told_channels = set[str]()  # URIs

    def line(self, took: float) -> str:
        speed = f", {self.seconds / took:.0f} x real time" if self.seconds else ""
        return f"{self.transcribed} transcribed ({clock(self.seconds)}{speed}), {self.rejected} rejected"


def _one(each: AudioInput | Reject, transcriber: Transcriber, options: argparse.Namespace, counts: _Counts) -> None:
    from ssl_asr.serving.transcribing.inputs import AudioInput

    try:
        if not isinstance(each, AudioInput):
            raise ValueError(told(each))
        live = not options.out and options.format == "txt"
        transcript = transcriber.transcribe(each, _printer(each, options) if live else None)
        if not live:
            _publish(transcript, options)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        counts.rejected += 1
        say(" ".join(str(error).split()))
        return
    counts.transcribed += 1
    counts.seconds += transcript.source.seconds
    if options.channel is None and each.channel == 0 and each.uri not in counts.told_channels:
        counts.told_channels.add(each.uri)
        _tell_channels(each.uri)


def _printer(each: AudioInput, options: argparse.Namespace) -> Callable[[TranscriptSegment], None]:
    several = len(options.audio) > 1 or not Path(options.audio[0]).is_file()
    before = f"{each.name}: " if several else ""

    def show(segment: TranscriptSegment) -> None:
        if segment.words:
            print(before + segment.text, flush=True)

    return show


def _publish(transcript: Transcript, options: argparse.Namespace) -> None:
    from ssl_asr.serving.transcribing.formats.writing import FORMATS, write_transcript

    if options.out:
        write_transcript(transcript, options.format, options.out)
    else:
        print(FORMATS[options.format](transcript), end="", flush=True)


def _tell_channels(uri: str) -> None:
    from ssl_asr.corpus.audio import channels_of

    with suppress(OSError, ValueError):  # it may be gone by now
        if (channels := channels_of(uri)) > 1:
            say(f"{uri}: it has {channels} channels, and the first was transcribed; --channel 1 takes the second")
