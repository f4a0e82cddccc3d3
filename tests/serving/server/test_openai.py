"""The transcription endpoint, by OpenAI's own package and by its letter."""

import io
import json
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import openai
import psutil
import pytest
import soundfile
import webvtt

from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber
from tests.serving.server.conftest import RATE, serving, vosk_words


@pytest.fixture(scope="module")
def api(server):
    return openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=200)


@pytest.fixture(scope="module")
def talk_file(talk, tmp_path_factory):
    file = tmp_path_factory.mktemp("talk") / "talk.flac"
    soundfile.write(file, talk, RATE, subtype="PCM_16")
    return file


@pytest.fixture(scope="module")
def expected(spoken, talk_file):
    """What `ssl-asr transcribe` makes of it."""
    return Transcriber(spoken.engine).transcribe(AudioInput("talk", str(talk_file)))


def test_words_are_those_of_transcribe(api, talk_file, expected):
    found = api.audio.transcriptions.create(model="whisper-1", file=talk_file)
    assert found.text == expected.text
    assert found.text


def test_words_and_segments_with_times(api, talk_file, expected):
    found = api.audio.transcriptions.create(
        model="any", file=talk_file, response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert [(word.word, word.start, word.end) for word in found.words] == [
        (word.word, word.start, word.end) for word in expected.words
    ]
    assert [word.confidence for word in found.words if word.model_extra] == [
        word.confidence for word in expected.words if word.confidence is not None
    ]
    assert [(each.start, each.end, each.text) for each in found.segments] == [
        (each.start, each.end, each.text) for each in expected.segments
    ]
    assert float(found.duration) == expected.source.seconds


def test_texts_and_captions(api, talk_file, expected):
    def made(kind):
        return str(api.audio.transcriptions.create(model="any", file=talk_file, response_format=kind, language="en"))

    assert made("text").split() == expected.text.split()
    captions = webvtt.from_buffer(io.StringIO(made("vtt")))
    assert " ".join(caption.text for caption in captions).split() == expected.text.split()
    assert made("srt").startswith("1\n00:00:0")


def test_the_models_are_listed(api):
    assert [model.owned_by for model in api.models.list()] == ["ssl-asr"]


def wav(samples, rate=RATE):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        (("paper.wav", b"%PDF-1.7\n" + bytes(3000)), {}, "paper.wav: libsndfile can't read this audio"),
        (("click.wav", wav(np.zeros(80))), {}, "click.wav: it lasts 0.010 s, which is less than a frame"),
        (("cut.wav", wav(np.zeros(8000))[:900]), {}, "cut.wav: the WAV file is truncated"),
        (("none.wav", b""), {}, "the field file is missing or empty"),
        (
            ("a.wav", wav(np.zeros(8000))),
            {"response_format": "pdf"},
            "the response_format 'pdf' is unknown; known are",
        ),
        (("a.wav", wav(np.zeros(8000))), {"language": "fr"}, "the language 'fr' is not possible"),
        (("a.wav", wav(np.zeros(8000))), {"stream": True}, "stream is not possible with a file"),
    ],
)
def test_what_can_not_be_used_is_told_in_one_sentence(api, file, options, said):
    with pytest.raises(openai.BadRequestError) as error:
        api.audio.transcriptions.create(model="any", file=file, **options)
    assert said in error.value.body["message"]
    assert "/tmp" not in error.value.body["message"]


def test_many_channels_at_a_high_rate(api, clips):
    clip = clips[0] / 32768
    eight = np.stack([np.repeat(clip, 12)] + [np.zeros(12 * len(clip))] * 7, axis=1)
    raw = api.audio.transcriptions.with_raw_response.create(model="any", file=("eight.wav", wav(eight, 96000)))
    assert raw.headers["ssl-asr-note"] == "the file has 8 channels, and the first was transcribed"
    assert raw.parse().text


def test_limits_of_files(spoken, clips, talk):
    with serving(spoken.folder, "--upload-bytes=100000", "--uploads=1") as server:
        api = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=200)
        with pytest.raises(openai.APIStatusError, match="the request is larger than 100000 bytes") as error:
            api.audio.transcriptions.create(model="any", file=("talk.wav", wav(np.tile(talk, 3))))
        assert error.value.status_code == 413
        assert api.audio.transcriptions.create(model="any", file=("clip.wav", wav(clips[0]))).text


def test_a_client_that_goes_ends_its_work_and_a_live_session_is_not_disturbed(spoken, talk, clips):
    """An hour of audio, whose client does not wait."""
    with serving(spoken.folder) as server:
        hour = wav(np.tile(talk, 1 + 3600 * RATE // len(talk)))
        impatient = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=6)
        with pytest.raises(openai.APITimeoutError):
            impatient.audio.transcriptions.create(model="any", file=("hour.wav", hour))
        deadline = time.monotonic() + 60
        while json.loads(urllib.request.urlopen(server.url("/healthz")).read())["uploads"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        while len(psutil.Process(server.process.pid).children()) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        with server.client() as client:
            assert vosk_words(client, clips[0])
        api = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=200)
        assert api.audio.transcriptions.create(model="any", file=("clip.wav", wav(clips[0]))).text


def children(server):
    return psutil.Process(server.process.pid).children()


def uploads(server):
    return json.loads(urllib.request.urlopen(server.url("/healthz")).read())["uploads"]


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_client_that_goes_while_a_process_starts_leaves_none_behind(spoken, clips):
    with serving(spoken.folder) as server:
        before = children(server)
        impatient = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=3)
        asks = threading.Thread(target=lambda: transcribe_or_fail(impatient, wav(clips[0])), daemon=True)
        asks.start()
        wait_until(lambda: len(children(server)) == 2)
        (started,) = set(children(server)) - set(before)
        started.suspend()  # or it may be ready, and done, before its client goes
        asks.join()
        wait_until(lambda: not uploads(server) and children(server) == before)


def test_a_process_for_files_that_dies_is_replaced(spoken, clips):
    with serving(spoken.folder) as server:
        api = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=200)
        before = children(server)
        for _ in range(2):
            assert api.audio.transcriptions.create(model="any", file=("clip.wav", wav(clips[0]))).text
            (started,) = set(children(server)) - set(before)
            figures = urllib.request.urlopen(server.url("/metrics")).read().decode()
            assert 'ssl_asr_workers{kind="uploads"} 1.0' in figures
            started.kill()
            wait_until(lambda: children(server) == before)


def test_a_process_for_files_ends_with_a_server_that_is_killed(spoken, talk):
    """In the middle of an hour of audio."""
    with serving(spoken.folder) as server:
        hour = wav(np.tile(talk, 1 + 3600 * RATE // len(talk)))
        impatient = openai.OpenAI(api_key="none", base_url=server.url("/v1"), max_retries=0, timeout=200)
        asks = threading.Thread(target=lambda: transcribe_or_fail(impatient, hour), daemon=True)
        asks.start()
        wait_until(lambda: len(children(server)) == 2 and sum(map(processor_seconds, children(server))) > 8)
        started = children(server)
        server.process.kill()
        assert psutil.wait_procs(started, 10)[1] == []
        asks.join()


def transcribe_or_fail(api, data):
    with pytest.raises(openai.APIConnectionError):  # or its APITimeoutError
        api.audio.transcriptions.create(model="any", file=("speech.wav", data))


def processor_seconds(process):
    return process.cpu_times().user


def test_other_requests_are_refused(server):
    for data, kind in ((b"{}", "application/json"), (b"--x\r\n", "multipart/form-data; boundary=x")):
        request = urllib.request.Request(
            server.url("/v1/audio/transcriptions"), data, {"Content-Type": kind, "Origin": server.url("")}
        )
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        assert error.value.code == 400
        assert json.loads(error.value.read())["error"]["message"]
    request = urllib.request.Request(server.url("/v1/audio/transcriptions"), b"", {"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)
