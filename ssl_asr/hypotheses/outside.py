"""Words that another recogniser has written of the unlabeled speech: a CTM file, or JSON objects of `transcribe`.

The file is read as a whole, on the driver. A run goes on where the file is not, once its words are in the run.
"""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ssl_asr.evaluation.hypothesis_files import ctm_fields, json_objects
from ssl_asr.hypotheses.content import Words
from ssl_asr.lang.text import Alphabet, named
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.hypotheses import FRAME_SECONDS, TimedWord
from ssl_asr.store.layout import outside_hypotheses_uri
from ssl_asr.store.ledger import checksum

KEY = "hypotheses.teacher"
# Seconds by which words may end after the audio: a recogniser may count the padding of its last frames.
_BEYOND = 0.5


@dataclass(frozen=True)
class OutsideWord:
    """As it was written; times are seconds from the utterance's begin."""

    word: str
    start: float | None = None
    end: float | None = None
    posterior: float | None = None


def outside_content(recipe: Recipe) -> str:
    """12 digits of a hash of what the file holds; ValueError where there is none and its words are not in the run."""
    source = str(recipe.hypotheses.teacher)
    place = _place(source)
    if (written := filesystem.modified(place)) is not None:
        return _checksum(place, written)
    kept = _noted(recipe)
    if kept.get("source") != source:
        raise ValueError(f"{KEY}={source}: there is no {place}; fix the path")
    return str(kept["content"])


def outside_exists(recipe: Recipe) -> bool:
    return filesystem.exists(_place(str(recipe.hypotheses.teacher)))


def note_outside(recipe: Recipe, utterances: int) -> None:
    """Note in the run which file its words come from, and of how many utterances, for when that is elsewhere."""
    source = recipe.hypotheses.teacher
    noted = {"source": source, "content": outside_content(recipe), "utterances": utterances}
    filesystem.write_if_changed(outside_hypotheses_uri(recipe.run), json.dumps(noted, indent=1).encode())


def noted_utterances(recipe: Recipe) -> int:
    return int(_noted(recipe).get("utterances", 0))


def _noted(recipe: Recipe) -> dict[str, Any]:
    uri = outside_hypotheses_uri(recipe.run)
    if not filesystem.exists(uri):
        return {}
    try:
        return dict(json.loads(filesystem.read_bytes(uri)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{uri} is damaged; delete it and run the hypotheses stage again") from error


def read_outside(source: str) -> dict[str, tuple[OutsideWord, ...]]:
    """Words by utterance; ValueError naming the file if it is missing or broken, or has an utterance twice."""
    kind, place = source.partition(":")[0], _place(source)
    if not filesystem.exists(place):
        raise ValueError(f"{KEY}={source}: there is no {place}; fix the path")
    data = filesystem.read_bytes(place)
    try:
        text = (gzip.decompress(data) if place.endswith(".gz") else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{place} is no UTF-8 text ({error}); write it again") from error
    found: dict[str, tuple[OutsideWord, ...]] = {}
    for name, words in _READERS[kind](text, place):
        if name in found:
            raise ValueError(f"{place} has '{name}' twice; keep one")
        found[name] = words
    return found


def words_within(written: Sequence[OutsideWord], num_frames: int, alphabet: Alphabet) -> Words:
    """The words as the run's texts have them, with their frames; a word with a hyphen becomes several.

    ValueError where they can't be those of an utterance of `num_frames`, or hold signs that texts may not have.
    """
    text, seconds = " ".join(each.word for each in written), num_frames * FRAME_SECONDS
    if unknown := alphabet.unknown_characters(text):
        raise ValueError(f"its words hold {named(unknown)}; write {alphabet.advice}")
    ends = [each.end for each in written if each.end is not None]
    if ends and max(ends) > seconds + _BEYOND:
        raise ValueError(f"its words end at {max(ends):.2f} s, but it lasts {seconds:.2f} s; is it other audio?")
    return tuple(part for each in written for part in _parts(each, num_frames, alphabet.normalise(each.word).split()))


def _parts(written: OutsideWord, num_frames: int, words: Sequence[str]) -> Iterator[TimedWord]:
    """The words that one written word becomes, its time divided evenly."""
    if written.start is None or written.end is None:
        yield from (TimedWord(word, posterior=written.posterior) for word in words)
        return
    begin = min(_frame(written.start), num_frames)
    length = min(max(_frame(written.end), begin), num_frames) - begin
    for place, word in enumerate(words):
        first, end = (begin + length * number // len(words) for number in (place, place + 1))
        yield TimedWord(word, first, end, written.posterior)


def _frame(seconds: float) -> int:
    """The first frame whose middle is not before this time."""
    return math.ceil(round(seconds / FRAME_SECONDS - 0.5, 6))


def _place(source: str) -> str:
    place = source.partition(":")[2]
    return place if filesystem.is_uri(place) else os.path.abspath(os.path.expanduser(place))


@lru_cache(maxsize=8)  # it is asked for often, and the file may be large
def _checksum(place: str, written: float) -> str:
    return checksum(filesystem.read_bytes(place))[:12]


def _ctm(text: str, place: str) -> Iterator[tuple[str, tuple[OutsideWord, ...]]]:
    for name, lines in ctm_fields(text, place).items():
        yield name, tuple(_ctm_word(place, fields) for fields in lines)


def _ctm_word(place: str, fields: Sequence[str]) -> OutsideWord:
    start, duration, word = fields[2:5]
    unknown = len(fields) < 6 or fields[5] == "NA"
    try:
        begin, posterior = float(start), None if unknown else float(fields[5])
        return _checked(OutsideWord(word, begin, begin + float(duration), posterior))
    except ValueError:
        raise ValueError(
            f"{place}: '{' '.join(fields)[:80]}' has a time or a confidence that is none; give seconds from 0 on, "
            "and a confidence of 0 to 1, or NA"
        ) from None


def _json(text: str, place: str) -> Iterator[tuple[str, tuple[OutsideWord, ...]]]:
    for values in json_objects(text, place):
        known = ("id", "hypothesis") if "hypothesis" in values else ("name", "text")
        name, said = (values.get(key) for key in known)
        if not isinstance(name, str) or not isinstance(said, str):
            raise ValueError(
                f"{place}: an entry lacks `id` and `hypothesis`, or `name` and `text`; write them as text"
            )
        try:
            yield name, _json_words(values, said)
        except (KeyError, TypeError, ValueError):
            raise ValueError(
                f"{place}: the words of '{name}' have not `word`, `start`, `end` and `confidence` as `ssl-asr "
                "transcribe` writes them; leave out `segments`, or write them so"
            ) from None


def _json_words(values: Mapping[str, Any], text: str) -> tuple[OutsideWord, ...]:
    """With times where segments have the words of the text, and confidences where a run's file has them."""
    timed = tuple(_json_word(word) for segment in values.get("segments") or () for word in segment["words"])
    words = text.split()
    if [each.word for each in timed] == words:
        return timed
    confidences = values.get("confidences") or [None] * len(words)
    return tuple(
        _checked(OutsideWord(word, posterior=posterior)) for word, posterior in zip(words, confidences, strict=True)
    )


def _json_word(values: Mapping[str, Any]) -> OutsideWord:
    times, posterior = (float(values["start"]), float(values["end"])), values.get("confidence")
    return _checked(OutsideWord(str(values["word"]), *times, None if posterior is None else float(posterior)))


def _checked(word: OutsideWord) -> OutsideWord:
    """ValueError if a value is not possible."""
    times = (word.start or 0.0, word.end or 0.0)
    if not 0 <= times[0] <= times[1] < math.inf or not 0 <= (word.posterior or 0.0) <= 1:
        raise ValueError
    return word


_READERS: Mapping[str, Callable[[str, str], Iterator[tuple[str, tuple[OutsideWord, ...]]]]] = {
    "ctm": _ctm,
    "jsonl": _json,
}
