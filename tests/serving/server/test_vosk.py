"""Vosk's protocol, by the client in Vosk's package and by its letter."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soxr
from websockets.exceptions import ConnectionClosed

from ssl_asr.decoding.word_finder import Alternative
from ssl_asr.serving.results import Final, Partial, Word
from ssl_asr.serving.server.limits import Refusal
from ssl_asr.serving.server.vosk import Config, final_reply, parsed, partial_reply
from tests.serving.server.conftest import RATE, engine_finals, floats, vosk_words, words_of

# A process of its own, because Vosk's library waits for ever where other libraries of OpenFst are loaded.
CLIENT = """
import asyncio
import json
import sys
from types import SimpleNamespace

from vosk.transcriber.transcriber import Transcriber

async def recognise(uri, file):
    client = Transcriber.__new__(Transcriber)  # its __init__ loads a model, which a server makes needless
    client.args = SimpleNamespace(server=uri, output_type="txt")
    audio = await asyncio.create_subprocess_exec("cat", file, stdout=asyncio.subprocess.PIPE)
    found, size = await client.recognize_stream_server(audio)
    await audio.wait()
    return client.format_result(found), size

print(json.dumps(asyncio.run(recognise(*sys.argv[1:]))))
"""


def test_the_client_of_vosks_package_gets_the_words_of_the_engine(spoken, server, talk, tmp_path):
    resampled = np.round(soxr.resample(talk, RATE, 16000)).astype("<i2")
    (tmp_path / "talk.raw").write_bytes(resampled.tobytes())
    client = [sys.executable, "-c", CLIENT, f"ws://127.0.0.1:{server.port}", str(tmp_path / "talk.raw")]
    text, size = json.loads(subprocess.check_output(client, text=True, timeout=120))
    assert size == 2 * len(resampled)
    expected = engine_finals(spoken, soxr.resample(floats(resampled), 16000, RATE))
    assert text.split() == words_of(expected)
    assert len(text.splitlines()) > 1


@pytest.mark.parametrize("seconds", [0.03, 0.13, 1.7, 60.0])
def test_words_are_the_engines_however_audio_is_cut(spoken, server, talk, seconds):
    with server.client() as client:
        assert vosk_words(client, talk, seconds=seconds) == words_of(engine_finals(spoken, talk))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(5)
        assert closed.value.rcvd.code == 1000


def test_no_final_is_lost_at_the_end(spoken, server, clips):
    """Audio that ends in the middle of a word, with the end right behind it, at whatever place."""
    for clip in clips[:3]:
        for length in (len(clip), len(clip) * 2 // 3, 200, 1):
            with server.client() as client:
                expected = words_of(engine_finals(spoken, clip[:length]))
                assert vosk_words(client, clip[:length], seconds=60) == expected


def test_every_message_has_one_reply_of_vosks_form(server, clips):
    with server.client() as client:
        client.send('{"config": {"sample_rate": 8000, "words": true, "partial_words": true}}')
        client.send(b"")
        assert json.loads(client.recv(10)) == {"partial": ""}
        client.send(clips[0].tobytes())
        partial = json.loads(client.recv(10))
        assert [each["word"] for each in partial["partial_result"]] == partial["partial"].split()
        client.send('{"reset":1}')
        final = json.loads(client.recv(10))
        assert [each["word"] for each in final["result"]] == final["text"].split() != []
        assert all(0 <= each["conf"] <= 1 and each["start"] < each["end"] for each in final["result"])
        client.send(clips[1].tobytes())
        assert "partial" in json.loads(client.recv(10))
        client.send(' {\n"eof"\t:1}')
        second = json.loads(client.recv(10))
        assert second["result"][0]["start"] >= final["result"][-1]["end"]


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        ("{}", {"end", "start", "word"}),
        ('{"words": true}', {"conf", "end", "start", "word"}),
        ('{"words": false}', None),
    ],
)
def test_confidences_are_for_clients_that_ask(server, clips, config, keys):
    with server.client() as client:
        client.send(f'{{"config": {config}}}')
        client.send(clips[0].tobytes())
        client.recv(20)
        client.send('{"eof" : 1}')
        final = json.loads(client.recv(20))
    if keys is None:
        assert final.keys() == {"text"}
    else:
        assert [each["word"] for each in final["result"]] == final["text"].split()
        assert all(each.keys() == keys for each in final["result"])


def test_alternatives_are_different_sentences(server, clips):
    with server.client() as client:
        client.send('{"config": {"max_alternatives": 3}}')
        client.send(clips[2].tobytes())
        client.recv(20)
        client.send('{"eof" : 1}')
        found = json.loads(client.recv(20))["alternatives"]
    texts = [each["text"] for each in found]
    assert len(texts) == len(set(texts)) <= 3
    assert 0.05 < found[0]["confidence"] <= sum(each["confidence"] for each in found) <= 1.01
    assert [word["word"] for word in found[0]["result"]] == texts[0].split()


def test_an_end_without_audio_has_its_final(server):
    with server.client() as client:
        client.send('{"eof" : 1}')
        assert json.loads(client.recv(10)) == {"text": ""}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("hello", "the message 'hello' is unknown"),
        ('{"config": 3}', '"config" is no object'),
        ('{"config": {"sample_rate": "fast"}}', 'sample_rate is "fast"'),
        ('{"config": {"sample_rate": 1e9}}', "sample_rate is 1000000000.0"),
        ('{"config": {"phrase_list": ["one"]}}', "start the server with --hotwords"),
        ("[" * 30_000, "is unknown"),
        ("[" * 100_000, "a text has 100000 characters, the largest possible is 32768; shorten it"),
        ('{"config": {"sample_rate": 8000.5}}', "sample_rate is 8000.5; give a whole number from 4000 to 384000"),
        ('{"config": {"sample_rate": NaN}}', "sample_rate is NaN"),
        (b"abc", "3 bytes are no whole number of int16 samples"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(server, message, said):
    with server.client() as client:
        client.send(message)
        refusal = json.loads(client.recv(10))
        assert said in refusal["error"]
        assert refusal["code"] == 1007
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(5)
        assert closed.value.rcvd.code == 1007
        assert closed.value.rcvd.reason
    assert server.process.poll() is None


def test_what_was_heard_is_told_before_a_refusal(spoken, server, clips):
    with server.client() as client:
        client.send(clips[0].tobytes())
        client.recv(10)
        client.send("nonsense")
        assert json.loads(client.recv(10))["text"].split() == words_of(engine_finals(spoken, clips[0]))
        assert "unknown" in json.loads(client.recv(10))["error"]


def test_the_forms_of_replies():
    final = Final(0, 0.0, 1.0, (Word("a", 0.1, 0.4, 0.9), Word("b", 0.4, 1.0, None)), "silence")
    assert json.loads(final_reply([final], Config(words=False), 1.0)) == {"text": "a b"}
    several = json.loads(final_reply([final, final], Config(alternatives=3), 1.0))["alternatives"]
    assert several == [{"confidence": 0.0, **json.loads(final_reply([final, final], Config(), 1.0))}]
    other = replace(final, alternatives=(Alternative("a c", math.log(0.6)), Alternative("a b", math.log(0.4))))
    several = json.loads(final_reply([other], Config(words=True, alternatives=3), 1.0))["alternatives"]
    assert [(each["text"], each["confidence"]) for each in several] == [("a b", 0.4), ("a c", 0.6)]
    assert several[0]["result"] == [
        {"conf": 0.9, "end": 0.4, "start": 0.1, "word": "a"},
        {"conf": 0.0, "end": 1.0, "start": 0.4, "word": "b"},
    ]
    both = json.loads(final_reply([other, other], Config(alternatives=3), 1.0))["alternatives"]
    assert [(each["text"], each["confidence"]) for each in both] == [("a b a b", 0.16)]
    assert json.loads(final_reply([], Config(), 1.0)) == {"text": ""}
    assert json.loads(final_reply([], Config(alternatives=3), 1.0)) == {
        "alternatives": [{"confidence": 1.0, "text": ""}]
    }
    assert json.loads(partial_reply(Partial(0, 0.0, ("a",)), Config(progress=True), 1.5)) == {
        "partial": "a",
        "decoded": 1.5,
    }
    assert Config().changed({"max_alternatives": 3, "words": 0}) == Config(words=False, alternatives=3)
    with pytest.raises(Refusal):
        parsed('{"eof": 1')
