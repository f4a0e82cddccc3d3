"""Audio that a shell command writes: `pipe:COMMAND` in place of a file's name, as the pipes of Kaldi's wav.scp.

A command can do anything, so nothing here is called unless the recipe says `corpus.pipes: true`.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import IO

_PREFIX = "pipe:"
_SHELL = "/bin/sh"
MOST_BYTES = 2 << 30  # 18 hours of 16 bits at 16 kHz
MOST_SECONDS = 600.0
_BLOCK_BYTES = 1 << 20
_LINE_BYTES = 2000


def as_pipe(command: str, folder: str) -> str:
    """The audio that `command` writes to its standard output; relative paths in it are taken from `folder`."""
    return f"{_PREFIX}cd {shlex.quote(folder)} && {command}"


def is_pipe(audio: str) -> bool:
    """Readers that make no pipes (`as_pipe`) have no such names: their lists give paths and URIs, of any scheme."""
    return audio.startswith(_PREFIX) and not audio.startswith(f"{_PREFIX}//")


def files_named(audio: str) -> list[str]:
    """Files that the command of `audio` may read: its words, but for options; most of them are no files."""
    try:
        lexer = shlex.shlex(audio.removeprefix(_PREFIX), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # a quote that is not closed
        return []
    folder = words[1] if words[:1] == ["cd"] and len(words) > 1 else ""
    named = [word for word in words[2:] if word and word[0] not in "-|&;<>()"] if folder else []
    return list(dict.fromkeys(os.path.join(folder, word) for word in named))


def output_of(audio: str, *, most_bytes: int = MOST_BYTES, most_seconds: float = MOST_SECONDS) -> bytes:
    """What the command of `audio` writes, run by /bin/sh without input.

    ValueError if it fails, with the last line that it wrote to standard error; or if it writes or takes too much.
    Nothing that it started in the foreground is left running.
    """
    late = threading.Event()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [_SHELL, "-c", audio.removeprefix(_PREFIX)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        timer = threading.Timer(most_seconds, _give_up, (process, late))
        timer.start()
        try:
            assert process.stdout is not None, "stdout is a pipe"
            with process.stdout as stream:
                written = _read(stream, most_bytes)
            too_long = len(written) > most_bytes
            status = None if too_long else process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                _kill(process)
                process.wait()
        said = _last_line(errors)
    if late.is_set():
        raise ValueError(f"{audio}: the command took over {most_seconds:g} s; write its output to a file")
    if too_long:
        raise ValueError(f"{audio}: the command wrote over {most_bytes:,} bytes; write its output to files, in parts")
    if status:
        raise ValueError(f"{audio}: the command ended with status {status} ({said}); correct it in the source")
    return written


def _read(stream: IO[bytes], most_bytes: int) -> bytes:
    """All that comes, but hardly more than `most_bytes`."""
    found = io.BytesIO()
    while found.tell() <= most_bytes and (block := stream.read(_BLOCK_BYTES)):
        found.write(block)
    return found.getvalue()


def _give_up(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(errors: IO[bytes]) -> str:
    size = errors.seek(0, io.SEEK_END)
    errors.seek(max(0, size - _LINE_BYTES))
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
