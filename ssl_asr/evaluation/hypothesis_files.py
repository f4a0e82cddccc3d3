"""What other systems have recognised, read from files that they write: text, CTM or JSON."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ssl_asr.evaluation.transcribed_set import TranscribedSet

_BEGIN = re.compile(r"[^ \t\r\n]")  # of a JSON value
_CTM_WORD = 4  # the place of the word in a line


@dataclass(frozen=True)
class HypothesisFile:
    """Texts by the utterances' ids, as they were written.

    `references` are what was said, where the file knows it. In a file that `lists_silence` an utterance in which
    nothing was recognised is there too; a CTM has no line for it.
    """

    place: str
    texts: Mapping[str, str]
    references: Mapping[str, str] = field(default_factory=dict)
    lists_silence: bool = True


def read_hypotheses(place: str) -> HypothesisFile:
    """A file, or a folder of the files that `transcribe` writes; ValueError in one sentence if it is neither.

    .txt has lines `id words` as Kaldi's `text`; .ctm is NIST's; .json and .jsonl have an object an utterance, with
    `id` and `hypothesis`, or with `name` and `text`, in lines, in a list, or as `transcribe` prints them.
    """
    path = Path(place).expanduser()
    if not path.exists():
        raise ValueError(f"{place}: there is no such bundle or file of hypotheses; correct the path")
    if path.is_file():
        return _parsed(path, place)
    if written := sorted(path.glob("hypotheses/*.jsonl")):
        raise ValueError(f"{place} has the results of an evaluation; name its hypotheses, such as {written[0]}")
    files = sorted(file for file in path.rglob("*") if file.suffix in (".json", ".ctm") and file.is_file())
    if not files:
        raise ValueError(f"{place} is no bundle, and has no transcripts as .json or .ctm; name a bundle or a file")
    return _joined(place, [_parsed(file, str(file)) for file in files])


def words_for(hypotheses: HypothesisFile, spoken: TranscribedSet) -> dict[str, tuple[str, ...]]:
    """The words recognised in each utterance of the set; ValueError if the hypotheses are of another set."""
    place, wanted = hypotheses.place, [each.id for each in spoken.utterances]
    known = {*wanted, *(reject.id for reject in spoken.rejects)}
    if unknown := [name for name in hypotheses.texts if name not in known]:
        raise ValueError(
            f"{place} is of another set: {len(unknown)} of its {len(hypotheses.texts)} utterances are not in "
            f"{spoken.source}, such as '{unknown[0]}'; ids there are like '{min(known)}'"
        )
    missing = [name for name in wanted if name not in hypotheses.texts]
    if missing and (hypotheses.lists_silence or len(missing) > len(wanted) / 2):
        raise ValueError(
            f"{place} lacks {len(missing)} of the {len(wanted)} utterances of {spoken.source}, such as "
            f"'{missing[0]}'; both systems must have recognised the same set"
        )
    alphabet = spoken.alphabet
    for each in spoken.utterances:
        said = hypotheses.references.get(each.id)
        if said is not None and alphabet.normalise(said) != each.text:
            raise ValueError(
                f"{place} is of another set: '{each.id}' says '{said[:50]}' there, and '{(each.text or '')[:50]}' in "
                f"{spoken.source}"
            )
    # A word with digits or signs stays as it is: then it counts as an error.
    return {name: tuple(alphabet.words(hypotheses.texts.get(name, ""))) for name in wanted}


def _parsed(path: Path, place: str) -> HypothesisFile:
    if path.suffix not in _PARSERS:
        raise ValueError(f"{place} is no file of hypotheses; give {', '.join(_PARSERS)} or a bundle")
    try:
        return _PARSERS[path.suffix](path.read_text(encoding="utf-8-sig"), place)
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is not UTF-8 text; convert it") from error


def _joined(place: str, files: Iterable[HypothesisFile]) -> HypothesisFile:
    """Those of `files` as one; a CTM file without a line is there, so its utterance is too."""
    texts: dict[str, str] = {}
    for file in files:
        found = file.texts or {os.path.relpath(Path(file.place).with_suffix(""), Path(place).expanduser()): ""}
        for name, text in found.items():
            _add(texts, name, text, file.place)
    return HypothesisFile(place, texts)


def _kaldi_text(text: str, place: str) -> HypothesisFile:
    texts: dict[str, str] = {}
    for line in text.split("\n"):
        name, *words = line.split(None, 1)[:2] or [""]
        if name:
            _add(texts, name, " ".join(words), place)
    return HypothesisFile(place, texts)


def _ctm(text: str, place: str) -> HypothesisFile:
    texts = {name: " ".join(fields[_CTM_WORD] for fields in words) for name, words in ctm_fields(text, place).items()}
    return HypothesisFile(place, texts, lists_silence=False)


def ctm_fields(text: str, place: str) -> dict[str, list[list[str]]]:
    """The fields of a CTM's lines by utterance, each in the order of its starts.

    ValueError where a line has not enough of them, or an utterance two channels.
    """
    timed: defaultdict[str, list[tuple[float, list[str]]]] = defaultdict(list)
    channels: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        fields = ctm_line(line, place, number)
        if fields is None:
            continue
        name, start = unquote(fields[0]), float(fields[2])
        if channels.setdefault(name, fields[1]) != fields[1]:
            raise ValueError(f"{place} has two channels of '{name}'; give each an id of its own, as the set has")
        timed[name].append((start, fields))
    return {name: [fields for _, fields in sorted(lines, key=_start)] for name, lines in timed.items()}


def ctm_line(line: str, place: str, number: int) -> list[str] | None:
    """The fields of a CTM's line; None if it is empty or a comment. ValueError where it has not enough of them."""
    fields = line.split()
    if not fields or line.startswith(";;"):
        return None
    try:
        float(fields[2]), fields[_CTM_WORD]
    except (IndexError, ValueError):
        raise ValueError(
            f"{place}, line {number}: '{line[:50]}' is not `id channel start duration word`; correct it"
        ) from None
    return fields


def _start(line: tuple[float, list[str]]) -> float:
    return line[0]


def _json(text: str, place: str) -> HypothesisFile:
    texts: dict[str, str] = {}
    references: dict[str, str] = {}
    for values in json_objects(text, place):
        # No other pairs: beside an `id` the `text` is often what was said.
        known = ("id", "hypothesis") if "hypothesis" in values else ("name", "text")
        name, words = (values.get(key) for key in known)
        if not isinstance(name, str) or not isinstance(words, str):
            raise ValueError(
                f"{place}: an entry lacks `id` and `hypothesis`, or `name` and `text`; write them as text"
            )
        _add(texts, name, words, place)
        if isinstance(values.get("reference"), str):
            references[name] = values["reference"]
    return HypothesisFile(place, texts, references)


def json_objects(text: str, place: str) -> Iterator[dict[str, Any]]:
    """Of one JSON object or several, one after another or in a list."""
    decoder, begin = json.JSONDecoder(), 0
    while found := _BEGIN.search(text, begin):
        try:
            values, begin = decoder.raw_decode(text, found.start())
        except json.JSONDecodeError as error:
            raise ValueError(f"{place} is neither JSON nor lines of JSON ({error}); write it again") from None
        for each in values if isinstance(values, list) else [values]:
            if not isinstance(each, dict):
                raise ValueError(f"{place} has '{str(each)[:50]}' where an object belongs; write it again")
            yield each


def _add(texts: dict[str, str], name: str, text: str, place: str) -> None:
    if name in texts:
        raise ValueError(f"{place} has two hypotheses of '{name}'; keep one")
    texts[name] = text


_PARSERS: Mapping[str, Callable[[str, str], HypothesisFile]] = {
    ".txt": _kaldi_text,
    ".ctm": _ctm,
    ".json": _json,
    ".jsonl": _json,
}
