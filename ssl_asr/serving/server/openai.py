"""POST /v1/audio/transcriptions as in OpenAI's API (https://platform.openai.com/docs/api-reference/audio).

`model`, `prompt` and `temperature` are taken and change nothing: there is one model, and it has no such settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ssl_asr.serving.server.limits import Kind, Refusal
from ssl_asr.serving.server.service import Service
from ssl_asr.serving.server.uploads import limited, on_disk
from ssl_asr.serving.server.wire import Transcribed
from ssl_asr.serving.transcribing.formats.captions import srt, vtt
from ssl_asr.serving.transcribing.transcript import Transcript, TranscriptSegment

_ENGLISH = ("en", "english")  # the code of bundles, and Whisper's name
_POLL_SECONDS = 0.5
_NOTE = "Ssl-Asr-Note"
Writer = Callable[[Transcript, bool, str], Response]  # with words or not, and the model's language


async def transcriptions(service: Service, request: Request) -> Response:
    """Refusal in one sentence if the request or its file can't be used."""
    service.options.access.check(request)
    with service.upload():
        receive = limited(request.receive, service.options.limits, request.headers.get("content-length"))
        form = await _form(Request(request.scope, receive))
        try:
            upload, write = form.get("file"), _writer(form, service.pool.ready.language)
            if not isinstance(upload, UploadFile) or not upload.size:
                raise _bad("the field file is missing or empty; send audio as multipart/form-data")
            name = Path(upload.filename or "").name[:100] or "audio"
            async with on_disk(upload) as path:
                recognising = service.upload_workers.transcribe(name, path, _wants_words(form))
                done = await _while_connected(request, service, recognising, path=path, name=name)
        finally:
            await form.close()
    service.metrics.upload_seconds.inc(done.transcript.source.seconds)
    service.metrics.busy_seconds.inc(done.busy)
    response = write(done.transcript, _wants_words(form), service.pool.ready.language)
    if done.channels > 1:
        response.headers[_NOTE] = f"the file has {done.channels} channels, and the first was transcribed"
    return response


async def models(service: Service, request: Request) -> Response:
    """The one model, for clients that ask which there are."""
    service.options.access.check(request)
    model = {"id": service.pool.ready.name, "object": "model", "created": 0, "owned_by": "ssl-asr"}
    return JSONResponse({"object": "list", "data": [model]})


async def _form(request: Request) -> FormData:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _bad("the request is no multipart/form-data; send the audio as its field file")
    try:
        return await request.form(max_files=1, max_fields=50)
    except HTTPException as error:
        raise _bad(f"the form can't be read ({error.detail}); send one file and a few fields") from None


def _wants_words(form: FormData) -> bool:
    """In verbose_json, the one form that has them; only then are confidences computed."""
    return form.get("response_format") == "verbose_json" and "word" in form.getlist("timestamp_granularities[]")


def _writer(form: FormData, known: str) -> Writer:
    """By the fields of the form; Refusal of what is not possible.

    A model whose language is not known takes any: its own is the one that it was trained for.
    """
    language, kind = str(form.get("language", "en")), str(form.get("response_format", "json"))
    if known in _ENGLISH and language.lower().split("-")[0] not in _ENGLISH:
        raise _bad(f"the language {language[:20]!r} is not possible; this model has English, en")
    if str(form.get("stream", "false")).lower() not in ("false", "0", ""):
        raise _bad("stream is not possible with a file; use the websocket for results while you speak")
    if kind not in _WRITERS:
        raise _bad(f"the response_format {kind[:20]!r} is unknown; known are {', '.join(_WRITERS)}")
    return _WRITERS[kind]


async def _while_connected(
    request: Request, service: Service, recognising: Coroutine[Any, Any, Transcribed], *, path: str, name: str
) -> Transcribed:
    """A file whose client has gone is not recognised to its end. Clients know it by `name`, not by its `path`."""
    task = asyncio.create_task(recognising)
    try:
        while not (await asyncio.wait([task], timeout=_POLL_SECONDS))[0]:
            if await request.is_disconnected():
                raise _bad("the client has gone")
            if service.is_over:
                raise Refusal(Kind.DRAINING, "the server is shutting down; try again")
        return await task
    except Refusal as refusal:
        raise Refusal(refusal.kind, str(refusal).replace(path, name)) from None
    finally:
        task.cancel()


def _json(transcript: Transcript, with_words: bool, language: str) -> Response:
    return JSONResponse({"text": transcript.text})


def _verbose(transcript: Transcript, with_words: bool, language: str) -> Response:
    values: dict[str, Any] = {
        "task": "transcribe",
        "language": "english" if language in _ENGLISH else language,
        "duration": transcript.source.seconds,
        "text": transcript.text,
        "segments": [_segment(number, each) for number, each in enumerate(transcript.segments)],
    }
    if with_words:
        values["words"] = [_without_none(asdict(word)) for word in transcript.words]
    return JSONResponse(values)


def _segment(number: int, segment: TranscriptSegment) -> Mapping[str, Any]:
    """Fields of Whisper's that have no meaning here are 0 or an empty list: OpenAI's schema requires them."""
    return {
        "id": number,
        "seek": 0,
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 0.0,
        "no_speech_prob": 0.0,
    }


def _without_none(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


_WRITERS: dict[str, Writer] = {
    "json": _json,
    "verbose_json": _verbose,
    "text": lambda transcript, *_: PlainTextResponse(transcript.text + "\n"),
    "srt": lambda transcript, *_: PlainTextResponse(srt(transcript)),
    "vtt": lambda transcript, *_: PlainTextResponse(vtt(transcript)),
}


def _bad(sentence: str) -> Refusal:
    return Refusal(Kind.DATA, sentence)
