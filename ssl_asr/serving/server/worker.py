"""A process that recognises: `python -m ssl_asr.serving.server.worker FD`, where FD is a socket to the server.

The search holds Python's lock while it computes, so the server has a process for every core, and itself computes
nothing. The sessions of a process take turns: none waits longer than one piece of each of the others takes. The
process ends when the server has gone, even in the middle of a file of hours.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Generator

from ssl_asr.corpus.audio import channels_of
from ssl_asr.serving.adapting import open_engine
from ssl_asr.serving.endpoints import Endpoints
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.server.listener import Listener
from ssl_asr.serving.server.wire import (
    Audio,
    Begin,
    Broken,
    EndUtterance,
    Finish,
    Forget,
    Inbox,
    Ready,
    Reply,
    Request,
    Start,
    Transcribe,
    Transcribed,
    packed,
)
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber

Work = Generator[None, None, Reply]


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with_server, args=[connection], daemon=True).start()
    inbox = Inbox(connection)
    try:
        (start,) = inbox.messages(waits=True)
        assert isinstance(start, Start)
        os.nice(start.niceness)
        engine = open_engine(start.engine, lambda sentence: print(f"serve: {sentence}", file=sys.stderr, flush=True))
        engine.check_endpoints(start.endpoints)
        name = f"{engine.bundle.description.name} {engine.bundle.description.model}"
        connection.sendall(packed(Ready(name, engine.sample_rate, engine.language.code)))
        _serve(Worker(engine, start.endpoints), connection, inbox)
    except ValueError as error:
        connection.sendall(packed(Broken(0, " ".join(str(error).split()))))
    except (EOFError, ConnectionError):
        pass


def _end_with_server(connection: socket.socket) -> None:
    gone = select.poll()
    gone.register(connection, select.POLLHUP)
    gone.poll()
    os._exit(0)


def _serve(worker: Worker, connection: socket.socket, inbox: Inbox) -> None:
    while True:
        for request in inbox.messages(waits=not worker.is_busy):
            worker.take(request)
        if worker.is_busy and (reply := worker.step()) is not None:
            connection.sendall(packed(reply))


class Worker:
    """The sessions of a process, and the work that waits for its next turn."""

    def __init__(self, engine: Engine, endpoints: Endpoints) -> None:
        self._engine, self._endpoints = engine, endpoints
        self._listeners: dict[int, Listener] = {}
        self._waiting: deque[tuple[int, Work]] = deque()

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting)

    def take(self, request: Request) -> None:
        """Begins what is asked for; nothing long is done here."""
        if isinstance(request, Forget):
            self._listeners.pop(request.session, None)
            self._waiting = deque(each for each in self._waiting if each[0] != request.session)
        elif isinstance(request, Begin):
            self._listeners[request.session] = Listener(self._engine, request, self._endpoints)
        else:
            self._waiting.append((request.session, self._work(request)))

    def step(self) -> Reply | None:
        """A piece of the work that has waited longest; its reply, if that was the last one."""
        session, work = self._waiting.popleft()
        try:
            next(work)
        except StopIteration as done:
            reply: Reply = done.value
            return reply
        except ValueError as error:
            return self._broken(session, " ".join(str(error).split()), is_input=True)
        except Exception:
            traceback.print_exc()
            return self._broken(session, "the recogniser has failed; begin a new session", is_input=False)
        self._waiting.append((session, work))
        return None

    def _broken(self, session: int, sentence: str, is_input: bool) -> Broken:
        self._listeners.pop(session, None)
        return Broken(session, sentence, is_input)

    def _work(self, request: Audio | EndUtterance | Finish | Transcribe) -> Work:
        if isinstance(request, Transcribe):
            return self._transcribe(request)
        listener = self._listeners[request.session]
        if isinstance(request, Audio):
            return listener.hear(request)
        if isinstance(request, EndUtterance):
            return listener.end_utterance()
        return listener.finish()

    def _transcribe(self, request: Transcribe) -> Work:
        began = time.perf_counter()
        transcriber = Transcriber(self._engine, confidences=request.confidences)
        transcript = transcriber.transcribe(AudioInput(request.name, request.path))
        yield
        return Transcribed(request.session, transcript, channels_of(request.path), time.perf_counter() - began)


if __name__ == "__main__":
    main()
