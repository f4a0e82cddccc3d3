"""A worker without its process: sessions in turns, and nothing computed that nobody asked for."""

import numpy as np
import pytest
import soundfile

from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.server.wire import Audio, Begin, Finish, Transcribe
from ssl_asr.serving.server.worker import Worker
from tests.serving.server.conftest import RATE


@pytest.fixture
def worker(spoken):
    return Worker(spoken.engine, Endpoints())


def reply(worker):
    while (found := worker.step()) is None:
        pass
    return found


@pytest.mark.parametrize("confidences", [False, True])
def test_a_session_has_confidences_if_they_are_asked_for(worker, clips, confidences):
    worker.take(Begin(1, RATE, "int16", confidences))
    worker.take(Audio(1, clips[0].tobytes(), with_times=True))
    assert all(word.confidence is None for word in reply(worker).partial.timed)
    worker.take(Finish(1))
    found = [word.confidence for final in reply(worker).finals for word in final.words]
    assert found
    assert any(each is not None for each in found) == confidences


@pytest.mark.parametrize("confidences", [False, True])
def test_a_file_has_confidences_if_they_are_asked_for(worker, clips, tmp_path, confidences):
    soundfile.write(tmp_path / "clip.wav", clips[0], RATE, subtype="PCM_16")
    worker.take(Transcribe(1, "clip", str(tmp_path / "clip.wav"), confidences))
    found = [word.confidence for word in reply(worker).transcript.words]
    assert found
    assert any(each is not None for each in found) == confidences


def test_sessions_take_turns(worker, clips):
    """A short message does not wait for the end of a long one."""
    for session in (1, 2):
        worker.take(Begin(session, RATE, "int16", confidences=False))
    worker.take(Audio(1, np.tile(clips[0], 5).tobytes()))
    worker.take(Audio(2, clips[0][: RATE // 5].tobytes()))
    assert [reply(worker).session, reply(worker).session] == [2, 1]
