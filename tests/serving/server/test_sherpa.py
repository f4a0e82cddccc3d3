"""sherpa-onnx's protocol, by the client in its package and by its letter."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ssl_asr.serving.results import Final, Partial, Word
from ssl_asr.serving.server.sherpa import final_result, partial_result
from tests.serving.server.conftest import RATE, engine_finals, floats

CLIENT = Path(sys.executable).with_name("sherpa-onnx-online-websocket-client")


@pytest.fixture(scope="module")
def at_16k(talk):
    """As its clients want it."""
    return np.round(soxr.resample(talk, RATE, 16000)).astype("<i2")


def expected_texts(spoken, at_16k):
    finals = engine_finals(spoken, soxr.resample(floats(at_16k), 16000, RATE))
    return [final.text for final in finals]


def test_the_client_of_sherpas_package_gets_the_words_of_the_engine(spoken, server, at_16k, tmp_path):
    soundfile.write(tmp_path / "talk.wav", at_16k, 16000, subtype="PCM_16")
    options = [f"--server-port={server.sherpa_port}", "--samples-per-message=16000", "--seconds-per-message=0.02"]
    command = [str(CLIENT), *options, str(tmp_path / "talk.wav")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in re.findall(r"\{.*\}", done.stdout + done.stderr)]
    finals = [each for each in results if each["is_final"]]
    assert [each["text"] for each in finals] == expected_texts(spoken, at_16k)
    assert [each["is_eof"] for each in finals] == [False] * (len(finals) - 1) + [True]
    assert any(each["text"] for each in results if not each["is_final"])


@pytest.mark.parametrize("path", ["/", "/sherpa"])
def test_results_come_without_lock_step(spoken, server, at_16k, path):
    audio = floats(at_16k)
    port = server.sherpa_port if path == "/" else server.port
    with connect(f"ws://127.0.0.1:{port}{path}") as client:
        for begin in range(0, len(audio), 1600):
            client.send(audio[begin : begin + 1600].tobytes())
        client.send("Done")
        found = []
        while (message := client.recv(60)) != "Done!":
            found.append(json.loads(message))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd.code == 1000
    finals = [each for each in found if each["is_final"]]
    assert [each["text"] for each in finals] == expected_texts(spoken, at_16k)
    assert [each["segment"] for each in finals] == list(range(len(finals)))
    assert all(len(each["tokens"]) == len(each["timestamps"]) for each in found)


def test_an_end_without_audio_has_its_result(server):
    with connect(f"ws://127.0.0.1:{server.sherpa_port}") as client:
        client.send("Done")
        result = json.loads(client.recv(20))
        assert (result["text"], result["is_final"], result["is_eof"]) == ("", True, True)
        assert client.recv(20) == "Done!"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"eof" : 1}', "is unknown; send float32 audio, then Done"),
        (b"abcde", "5 bytes are no whole number of float32 samples"),
        (np.full(4000, np.nan, "<f4").tobytes(), "the audio holds NaN or infinite samples"),
        (np.full(4000, 1e20, "<f4").tobytes(), "the audio is not in [-1, 1]"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(server, message, said):
    with connect(f"ws://127.0.0.1:{server.sherpa_port}") as client:
        client.send(message)
        refusal = json.loads(client.recv(20))
        assert said in refusal["error"]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
        assert closed.value.rcvd.code == refusal["code"] == 1007


def test_the_forms_of_results():
    final = Final(2, 3.0, 5.0, (Word("a", 3.5, 4.0), Word("b", 4.0, 4.6)), "silence")
    assert json.loads(final_result(final)) == {
        "text": "a b",
        "tokens": ["a", "b"],
        "timestamps": [0.5, 1.0],
        "segment": 2,
        "words": ["a", "b"],
        "start_time": 3.0,
        "is_final": True,
        "is_eof": False,
    }
    assert json.loads(partial_result(Partial(1, 2.0, ("a",))))["is_final"] is False
