"""Vosk's websocket protocol (https://github.com/alphacep/vosk-server, websocket/asr_server.py).

A text message {"config": {...}} has no reply. Every binary message, 16-bit mono audio, has exactly one, a partial or
a final result, before the next is read. {"eof" : 1} has the last final as its reply, then the server closes;
{"reset" : 1} ends an utterance.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ssl_asr.serving.results import Final, Partial, Word
from ssl_asr.serving.server.connection import Connection
from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.sessions import OpenSession, Sessions
from ssl_asr.serving.server.wire import Heard

DEFAULT_RATE = 8000
_LEAST_RATE, _MOST_RATE = 4000, 384000
_MOST_CHARACTERS = 1 << 15  # of a text, which the server's one thread has to parse
_BYTES = 2  # a sample
_ALTERNATIVES = 10


@dataclass(frozen=True)
class Config:
    """`words` asks for the words of finals with times and confidences, `partial_words` for those of partials.

    Where `words` is None, nobody asked: Vosk's server tells words then too, so they come with their times, which
    cost little, and without confidences, which take as long as all the rest of the recognition. With `alternatives`,
    finals have the form of a list of so many sentences. `progress` adds to every reply how many seconds of audio it
    is about; the page asks for it.
    """

    sample_rate: int = DEFAULT_RATE
    words: bool | None = None
    partial_words: bool = False
    alternatives: int = 0
    progress: bool = False

    def changed(self, values: dict[str, Any]) -> Config:
        """By the keys of a client's message; unknown ones are passed over, as Vosk does. Refusal of a bad value."""
        if values.get("phrase_list"):
            raise _bad("a phrase_list is not possible here; start the server with --hotwords")
        rate = values.get("sample_rate", self.sample_rate)
        if (
            not isinstance(rate, int | float)
            or isinstance(rate, bool)
            or not _LEAST_RATE <= rate <= _MOST_RATE
            or rate != int(rate)
        ):
            raise _bad(
                f"sample_rate is {json.dumps(rate)[:50]}; give a whole number from {_LEAST_RATE} to {_MOST_RATE}"
            )
        most = values.get("max_alternatives", self.alternatives)
        if not isinstance(most, int) or most < 0:
            raise _bad(f"max_alternatives is {json.dumps(most)[:50]}; give a whole number from 0 to {_ALTERNATIVES}")
        return Config(
            int(rate),
            bool(values["words"]) if "words" in values else self.words,
            bool(values.get("partial_words", self.partial_words)),
            min(most, _ALTERNATIVES),
            bool(values.get("progress", self.progress)),
        )


async def converse(connection: Connection, sessions: Sessions) -> None:
    """Until the client is done. Refusal if it breaks the protocol or a limit: then what was heard is told before."""
    config, session = Config(), None
    try:
        while True:
            message = await connection.receive()
            if isinstance(message, bytes):
                if session is None:
                    session = _begun(sessions, config)
                await connection.keep_pace(len(message) / _BYTES / config.sample_rate)
                heard = await session.hear(message, config.partial_words)
                await connection.send(reply(heard, config))
                continue
            await connection.keep_pace(0)
            asked = parsed(message)
            if "config" in asked:
                before, config = config, config.changed(asked["config"])
                _check_change(before, config, session)
            elif session is None:
                await connection.send(final_reply((), config, 0.0))
            elif "eof" not in asked:
                heard = await session.end_utterance()
                await connection.send(final_reply(heard.finals, config, heard.decoded))
            if "eof" in asked:
                if session is not None:
                    await _finish(connection, session, config)
                return
    except Refusal as refusal:
        if session is not None and refusal.kind is not Kind.FAILURE and session.is_open:
            await _finish(connection, session, config)
        raise


def _begun(sessions: Sessions, config: Config) -> OpenSession:
    # The best words may be less probable than so many others, and their confidence is told too.
    alternatives = _ALTERNATIVES if config.alternatives else 0
    return sessions.begin(config.sample_rate, "int16", confidences=bool(config.words), alternatives=alternatives)


async def _finish(connection: Connection, session: OpenSession, config: Config) -> None:
    heard = await session.finish()
    await connection.send(final_reply(heard.finals, config, heard.decoded))


def parsed(message: str) -> dict[str, Any]:
    """A message with one of the keys config, eof and reset; Refusal of anything else."""
    if len(message) > _MOST_CHARACTERS:
        raise _bad(f"a text has {len(message)} characters, the largest possible is {_MOST_CHARACTERS}; shorten it")
    try:
        asked = json.loads(message)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not asked.keys() & {"config", "eof", "reset"}:
        raise _bad(f'the message {message[:50]!r} is unknown; send {{"config": ...}}, {{"eof": 1}} or {{"reset": 1}}')
    if "config" in asked and not isinstance(asked["config"], dict):
        raise _bad('"config" is no object; send, for example, {"config": {"sample_rate": 16000}}')
    return asked


def reply(heard: Heard, config: Config) -> str:
    """To a message of audio: one result, final if an utterance has ended in it."""
    if heard.finals:
        return final_reply(heard.finals, config, heard.decoded)
    return partial_reply(heard.partial, config, heard.decoded)


def partial_reply(partial: Partial, config: Config, decoded: float) -> str:
    values: dict[str, Any] = {"partial": partial.text}
    if config.partial_words and partial.timed:
        values["partial_result"] = [_word(each, with_confidence=True) for each in partial.timed]
    return _json(values, config, decoded)


def final_reply(finals: Sequence[Final], config: Config, decoded: float) -> str:
    """Several finals of one message are one reply, since every message has one."""
    words = [word for final in finals for word in final.words]
    values: dict[str, Any] = {"text": " ".join(word.word for word in words)}
    if config.words is not False and words:
        values = {"result": [_word(word, bool(config.words)) for word in words], **values}
    if config.alternatives:
        values = {"alternatives": _sentences(finals, values)[: config.alternatives]}
    return _json(values, config, decoded)


def _sentences(finals: Sequence[Final], best: dict[str, Any]) -> list[dict[str, Any]]:
    """The best one has the times of its words. Confidences are probabilities of whole sentences."""
    found = finals[0].alternatives if len(finals) == 1 else ()
    others = [
        {"confidence": round(math.exp(each.log_probability), 3), "text": each.text}
        for each in found
        if each.text != best["text"]
    ]
    return [{"confidence": round(math.prod(map(_confidence, finals)), 3), **best}, *others]


def _confidence(final: Final) -> float:
    """0 where it is not among the sentences of its lattice, as for words; Vosk too is sure of silence."""
    if not final.words:
        return 1.0
    return next((math.exp(each.log_probability) for each in final.alternatives if each.text == final.text), 0.0)


def _word(word: Word, with_confidence: bool) -> dict[str, Any]:
    """Who asked for words counts on a confidence: 0 where none is known, as in partial results."""
    confidence = {"conf": word.confidence or 0.0} if with_confidence else {}
    return {**confidence, "end": word.end, "start": word.start, "word": word.word}


def _json(values: dict[str, Any], config: Config, decoded: float) -> str:
    return json.dumps({**values, "decoded": round(decoded, 2)} if config.progress else values, ensure_ascii=False)


def _check_change(before: Config, after: Config, session: OpenSession | None) -> None:
    if session is not None and _of_session(before) != _of_session(after):
        raise _bad("the config came behind audio; send it first")


def _of_session(config: Config) -> tuple[int, bool | None, int]:
    return config.sample_rate, config.words, config.alternatives


def _bad(sentence: str) -> Refusal:
    return Refusal(Kind.DATA, sentence)
