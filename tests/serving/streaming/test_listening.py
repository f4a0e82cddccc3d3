"""Live recognition: the words of the engine, latencies that add up, and a terminal as people use it."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.cli.main import FAILED, INTERRUPTED, OK, REFUSED, main
from ssl_asr.corpus.audio import read_audio
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.results import Final
from ssl_asr.serving.streaming.latency import Pace
from ssl_asr.serving.streaming.listening import in_chunks, listen
from tests.corpus.conftest import rows_of
from tests.serving.conftest import Spoken
from tests.serving.streaming.test_latency import Clock

RATE = 8000  # of the bundle
FIGURES = re.compile(r"ssl-asr: ([\d.]+) s of audio; latency p50 (\d+) ms, p95 (\d+) ms; real-time factor [\d.]+\n")


@pytest.fixture(scope="module")
def talk(spoken: Spoken) -> np.ndarray:
    """Some clips that the network has learned, with pauses of a second."""
    rows = [row for row in rows_of(spoken.recipe, "labeled") if row.condition == "clean" and 1 < row.duration < 4]
    pause = 1e-4 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    clips = [read_audio(row.audio, row.offset, row.duration, row.channel, RATE) for row in rows[:4]]
    return np.concatenate([part for clip in clips for part in (clip, pause)])


@pytest.fixture(scope="module")
def talk_file(talk: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(file, talk, RATE, subtype="FLOAT")
    return file


@pytest.fixture(scope="module")
def lines(spoken: Spoken, talk: np.ndarray) -> list[str]:
    """What is to be written."""
    finals = spoken.engine.recognise(talk, endpoints=Endpoints())
    found = [final.text for final in finals if final.words]
    assert len(found) > 2
    return found


@given(lengths=st.lists(st.integers(0, 50), max_size=8), size=st.integers(1, 60))
def test_chunks_are_the_audio_in_equal_parts(lengths: list[int], size: int) -> None:
    audio = np.arange(sum(lengths), dtype=np.float32)
    chunks = list(in_chunks(np.split(audio, np.cumsum(lengths)), size))
    np.testing.assert_array_equal(np.concatenate([*chunks, audio[:0]]), audio)
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(0 < len(chunk) <= size for chunk in chunks[-1:])


@pytest.mark.parametrize("milliseconds", [30, 100, 300])
def test_latency_has_look_ahead_chunk_and_computation(spoken: Spoken, talk: np.ndarray, milliseconds: int) -> None:
    """By a clock on which `show` takes 10 ms, and nothing else takes time."""
    clock, finals, talk = Clock(), list[Final](), talk[: 4 * RATE]

    def show(found: Sequence[Final]) -> None:
        finals.extend(found)
        clock.now += 0.01

    chunks = list(in_chunks([talk], milliseconds * RATE // 1000))
    heard = listen(spoken.engine.stream(confidences=False), chunks, Pace(False, clock), show)
    expected = spoken.engine.recognise(talk, endpoints=Endpoints(), confidences=False)
    assert finals == expected
    assert heard.seconds == pytest.approx(len(talk) / RATE)
    assert heard.busy == pytest.approx(0.01 * (len(chunks) + 1))
    # The network looks 90 ms ahead; the last of three frames of a block is known when its window is complete.
    least, most = (heard.latencies.percentile(percent) for percent in (0.1, 100))
    assert 0.09 + 0.01 < least <= 0.09 + 0.03 + 0.011
    assert 0.09 + 0.06 + 0.01 < most <= 0.09 + 0.06 + 0.02 + milliseconds / 1000


def listening(spoken: Spoken, *words: str, **how: object) -> subprocess.Popen[bytes]:
    program = "import sys; from ssl_asr.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "listen", str(spoken.folder), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **how)  # type: ignore[call-overload, no-any-return]


def test_a_file_is_heard_and_measured(spoken, talk_file, lines, capsys):
    assert main(["listen", str(spoken.folder), str(talk_file), "--fast"]) == OK
    out, told = capsys.readouterr()
    assert out.splitlines() == lines
    seconds, p50, p95 = map(float, FIGURES.fullmatch(told).groups())
    assert seconds == pytest.approx(soundfile.info(talk_file).duration, abs=0.1)
    assert 90 < p50 <= p95


def test_endpoints_are_those_that_were_asked_for(spoken, talk, talk_file, lines, capsys):
    assert main(["listen", str(spoken.folder), str(talk_file), "--fast", "--no-endpoints"]) == OK
    (line,) = capsys.readouterr().out.splitlines()
    assert line == spoken.engine.recognise(talk)[0].text
    longer = [f"--rule{number}-min-trailing-silence=30" for number in (1, 2, 3, 4)]
    assert main(["listen", str(spoken.folder), str(talk_file), "--fast", *longer]) == OK
    assert len(capsys.readouterr().out.splitlines()) < len(lines)


@pytest.mark.parametrize("raw", [False, True])
def test_standard_input_is_wav_or_raw(spoken, talk_file, lines, raw):
    data = talk_file.read_bytes()
    words = ["-", "--encoding", "f32le", "--rate", str(RATE)] if raw else ["-"]
    process = listening(spoken, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, told = process.communicate(data[data.index(b"data") + 8 :] if raw else data)
    assert (process.returncode, out.decode().splitlines()) == (OK, lines)
    first, second = told.decode().splitlines(keepends=True)
    assert first == f"ssl-asr: standard input: {'raw' if raw else 'WAV'}, f32le, {RATE} Hz, 1 channel\n"
    assert FIGURES.fullmatch(second)


def test_a_terminal_shows_words_while_they_are_said(spoken, talk_file, lines):
    ours, theirs = pty.openpty()
    process = listening(spoken, str(talk_file), "--fast", stdout=theirs)
    os.close(theirs)
    shown, _ = _until_closed(ours), process.wait()
    finals = [line.split("\033[K")[-1] for line in shown.split("\r\n")[:-1]]
    assert finals == lines
    partials = [part for part in re.split(r"\r\n|\r\033\[K", shown) if part and part not in lines]
    assert len(partials) > 5
    assert any(lines[0].startswith(part) for part in partials)
    assert shown.endswith(("\r\n", "\033[K"))  # nothing is left on the last line


def test_ctrl_c_still_gives_words_and_figures(spoken, talk_file, lines):
    process = listening(spoken, str(talk_file), stdout=subprocess.PIPE)
    assert process.stdout.readline().decode().strip() == lines[0]
    _ends_in_order(process)


def test_ctrl_c_while_a_pipe_is_silent(spoken, talk_file):
    process = listening(spoken, "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(talk_file.read_bytes()[: 4 * 3 * RATE])
    process.stdin.flush()
    assert b"standard input" in process.stderr.readline()
    time.sleep(1)
    _ends_in_order(process)
    assert process.stdout.read()


def _ends_in_order(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == INTERRUPTED
    assert FIGURES.fullmatch(process.stderr.read().decode())


def test_a_reader_that_goes_away_is_no_error(spoken, talk_file):
    process = listening(spoken, str(talk_file), "--fast", stdout=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == FAILED


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["nosuch.wav"], "nosuch.wav: the audio file is missing", FAILED),
        (["talk.wav", "--chunk-ms", "1"], "1 is not a whole number from 10 to 5000", REFUSED),
        (["talk.wav", "--rule1-min-trailing-silence=0"], "0 is not a number of 0.1 or more", REFUSED),
        (["talk.wav", "--rule5-min-utterance-length=1e9"], "give 1 to 3600 s", FAILED),
        (["talk.wav", "--encoding", "s16be"], "invalid choice: 's16be'", REFUSED),
        ([], "the following arguments are required: FILE|-", REFUSED),
        (["FOLDER"], "is a folder; name one file in it, or use ssl-asr transcribe", FAILED),
        (
            ["talk.wav", "--rate", "8000"],
            "--rate is for raw samples on standard input; leave it out, talk.wav",
            FAILED,
        ),
        (["talk.wav", "--encoding", "s16le"], "--encoding is for raw samples on standard input", FAILED),
        (["talk.wav", "--channels=1"], "--channels is for raw samples on standard input", FAILED),
        (["FOLDER/click.wav"], "click.wav: it lasts 0.010 s, which is less than a frame; record it again", FAILED),
    ],
)
def test_what_can_not_be_heard_is_refused(spoken, words, said, code, capsys, tmp_path):
    soundfile.write(tmp_path / "click.wav", np.zeros(80), RATE)
    words = [word.replace("FOLDER", str(tmp_path)) for word in words]
    assert main(["listen", str(spoken.folder), *words]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_an_empty_pipe_is_refused(spoken, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert main(["listen", str(spoken.folder), "-"]) == FAILED
    assert "standard input has no audio" in capsys.readouterr().err


def _until_closed(terminal: int) -> str:
    found = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:  # how a terminal says that the other side is closed
            return found.decode()
        found += data
