"""sherpa-onnx's websocket protocol (https://k2-fsa.github.io/sherpa/onnx/websocket, online-websocket-server).

Binary messages are float32 mono audio. Results come when there is something new, not one for each message. The text
`Done` ends the audio; the last result and the text `Done!` answer it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ssl_asr.serving.results import Final, Partial, Word
from ssl_asr.serving.server.connection import Connection
from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.service import Converse
from ssl_asr.serving.server.sessions import OpenSession, Sessions

DONE, ANSWER = "Done", "Done!"
_BYTES = 4  # a sample


def speaker(sample_rate: int) -> Converse:
    """The protocol with clients that send this rate, which they don't tell."""

    async def converse(connection: Connection, sessions: Sessions) -> None:
        session: OpenSession | None = None
        shown = ""
        try:
            while (message := await connection.receive()) != DONE:
                if isinstance(message, str):
                    raise Refusal(
                        Kind.DATA, f"the message {message[:50]!r} is unknown; send float32 audio, then {DONE}"
                    )
                if session is None:
                    session = sessions.begin(sample_rate, "float32", confidences=False)
                await connection.keep_pace(len(message) / _BYTES / sample_rate)
                heard = await session.hear(message)
                for final in heard.finals:
                    await connection.send(final_result(final))
                text = heard.partial.text
                if text != shown and (text or not heard.finals):
                    await connection.send(partial_result(heard.partial))
                shown = text
        except Refusal as refusal:
            if session is not None and refusal.kind is not Kind.FAILURE and session.is_open:
                await _finish(connection, session)
            raise
        if session is None:
            session = sessions.begin(sample_rate, "float32", confidences=False)
        await _finish(connection, session)
        await connection.send(ANSWER)
        await connection.closed_by_client()

    return converse


async def _finish(connection: Connection, session: OpenSession) -> None:
    *finals, last = (await session.finish()).finals
    for final in finals:
        await connection.send(final_result(final))
    await connection.send(final_result(last, is_eof=True))


def partial_result(partial: Partial) -> str:
    return _result(partial.text, partial.number, partial.start)


def final_result(final: Final, is_eof: bool = False) -> str:
    return _result(final.text, final.number, final.start, words=final.words, is_final=True, is_eof=is_eof)


def _result(
    text: str,
    number: int,
    start: float,
    *,
    words: Sequence[Word] = (),
    is_final: bool = False,
    is_eof: bool = False,
) -> str:
    """A token is a word; timestamps are from the begin of the segment, as there. Both are known of finals."""
    values: dict[str, Any] = {
        "text": text,
        "tokens": [word.word for word in words],
        "timestamps": [round(word.start - start, 2) for word in words],
        "segment": number,
        "words": [word.word for word in words],
        "start_time": start,
        "is_final": is_final,
        "is_eof": is_eof,
    }
    return json.dumps(values, ensure_ascii=False)
