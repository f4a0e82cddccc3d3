"""Checks what a corpus lists before any of it is processed: ids, texts, files and times.

Audio files are opened but not decoded. The front end finds truncated audio and samples that are NaN.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from ssl_asr.corpus.audio import TOLERANCE_SECONDS, AudioInfo, audio_info, rate_of
from ssl_asr.corpus.audio_places import file_of, files_behind
from ssl_asr.corpus.duplicates import AGAIN
from ssl_asr.corpus.pipes import is_pipe
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.sampled_rates import a_few, estimated_rates
from ssl_asr.lang.text import A_TO_Z, Alphabet, named
from ssl_asr.progress import Progress
from ssl_asr.recipe import Corpus
from ssl_asr.store.ledger import Reject
from ssl_asr.store.ledger_index import PARALLEL_READS
from ssl_asr.store.reading_ahead import read_ahead
from ssl_asr.store.retry import without_retries
from ssl_asr.store.utterance import Utterance

Found = TypeVar("Found")

_TEXT_NEEDED = ("labeled", "dev", "test")
_LENGTH_LIMITED = ("labeled", "unlabeled")  # dev and test keep every utterance, so that results stay comparable
OPENED_AHEAD = 64  # audio files; of a store each takes some tens of milliseconds


# What ends later than its recording by no more than this is cut there (Kaldi's extract-segments --max-overshoot).
OVERSHOOT_SECONDS = 0.5


def checked(
    reading: Reading,
    split: str,
    corpus: Corpus,
    *,
    alphabet: Alphabet = A_TO_Z,
    pipes: bool = False,
    trusted: bool = False,
) -> Reading:
    """The utterances of `split` that can be used, texts normalised and lengths filled in, and all rejects.

    Audio that is a command is run with `pipes`, and rejected without. Where lengths are `trusted`, audio whose length
    is given is not opened, but for a few that `estimated_rates` are told from; `rates` and `files` are then those of
    the rest. `files` has those of the reading too, and those that a command may have lacked. What is longer than
    `max_seconds` and may be cut is in `long`, without its text, and its files are in `files`.
    """
    listed = [_looked_at(each, split, alphabet, trusted) for each in reading.utterances]
    infos = _infos([each.utterance.audio for each in listed if each.is_opened], pipes)
    usable, rejects, unread = _Usable(split, corpus), list(reading.rejects), set[str]()
    progress = Progress(f"checking {split}", len(listed), "utterances")
    for each in listed:
        progress.advance()
        info = next(infos) if each.is_opened else None
        try:
            usable.add(each, info)
        except ValueError as error:
            rejects.append(Reject(each.utterance.id, str(error)))
            unread.update(files_behind(each.utterance.audio) if isinstance(info, ValueError) else ())
    opened = (each.utterance.audio for each in listed if each.is_opened)
    audio = {*opened, *(each.audio for each in usable.long)}
    files = reading.files.union(unread, (file for each in audio if (file := file_of(each)) is not None))
    counts = {**reading.counts, **usable.counts()}
    return Reading(
        utterances=tuple(usable.kept),
        rejects=tuple(rejects),
        counts=counts,
        rates=dict(usable.rates),
        estimated_rates=_estimated_rates(usable.unopened),
        files=files,
        long=tuple(usable.long),
    )


def _estimated_rates(unopened: Sequence[Utterance]) -> dict[str, float]:
    few = a_few(unopened)
    return estimated_rates(unopened, few, list(_opened([each.audio for each in few], _rate)))


class _Usable:
    """The utterances of a split that can be used, as they are found: those that are `kept`, and `long` ones.

    Of those that are kept, `unopened` are those whose audio nobody has looked at.
    """

    def __init__(self, split: str, corpus: Corpus) -> None:
        self._split, self._corpus = split, corpus
        self.kept, self.long, self.unopened = list[Utterance](), list[Utterance](), list[Utterance]()
        self.rates = defaultdict[str, float](float)
        self._ids, self._late, self._lost_texts = set[str](), 0, 0

    def add(self, each: _Looked, info: AudioInfo | ValueError | None) -> None:
        """`info` is that of its audio, if this was opened. ValueError with the reason if it can't be used."""
        utterance = each.utterance
        if utterance.id in self._ids:
            raise ValueError(AGAIN)
        if each.refused:
            raise ValueError(each.refused)
        timed = utterance if info is None else _checked_times(utterance, info)
        is_long = is_cut(self._split, self._corpus) and timed.duration > self._corpus.max_seconds
        if not is_long:
            _check_length(timed, self._split, self._corpus)
        self._ids.add(utterance.id)
        if is_long:
            self.long.append(replace(timed, text=None))
            self._lost_texts += timed.text is not None
        else:
            self.kept.append(timed)
            if info is None:
                self.unopened.append(timed)
        if isinstance(info, AudioInfo):
            self.rates[str(info.sample_rate)] += 0.0 if is_long else timed.duration
            self._late += info.seconds + TOLERANCE_SECONDS < utterance.offset + utterance.duration < math.inf

    def counts(self) -> dict[str, int]:
        """What a person is told of, and how often it is so."""
        late = f"utterances end up to {OVERSHOOT_SECONDS:g} s after their recording, and are cut at its end"
        lost = "texts of recordings that are cut by voice activity are left out, because a text can't be cut"
        return {what: count for what, count in ((late, self._late), (lost, self._lost_texts)) if count}


def is_cut(split: str, corpus: Corpus) -> bool:
    """Whether utterances that are too long are cut by voice activity: only where nobody needs their texts."""
    return split == "unlabeled" and corpus.segment


class _Looked(NamedTuple):
    """An utterance with its text as it is spoken, why it is of no use, and whether its audio must be opened."""

    utterance: Utterance
    refused: str = ""
    is_opened: bool = False


def _looked_at(utterance: Utterance, split: str, alphabet: Alphabet, trusted: bool) -> _Looked:
    try:
        text = _checked_text(utterance, split, alphabet)
    except ValueError as error:
        return _Looked(utterance, str(error))
    spoken = utterance if text == utterance.text else replace(utterance, text=text)
    is_known = trusted and 0 < utterance.duration < math.inf and utterance.offset >= 0
    # A command is never trusted: `audio_info` refuses it where commands are not run.
    return _Looked(spoken, "", not is_known or is_pipe(utterance.audio))


def _infos(uris: Sequence[str], pipes: bool) -> Iterator[AudioInfo | ValueError]:
    """Facts of each audio file, or what is wrong with it."""
    # A pipe is a program, and takes a core.
    return _opened(uris, partial(_info, pipes=pipes), threads=1 if pipes else PARALLEL_READS)


def _opened(uris: Sequence[str], look: Callable[[str], Found], threads: int = PARALLEL_READS) -> Iterator[Found]:
    """What `look` finds in each audio file. One that follows itself is opened once."""
    runs = [(uri, sum(1 for _ in run)) for uri, run in itertools.groupby(uris)]
    opened = read_ahead((partial(look, uri) for uri, _ in runs), OPENED_AHEAD, threads=threads)
    for (_, count), found in zip(runs, opened, strict=True):
        yield from itertools.repeat(found, count)


def _info(uri: str, pipes: bool) -> AudioInfo | ValueError:
    try:
        with without_retries():  # a list may name a million files of a store that isn't there
            return audio_info(uri, pipes=pipes)
    except ValueError as error:
        return error


def _rate(uri: str) -> int | None:
    """None where the audio can't be opened: it is the front end that rejects audio whose length is believed."""
    try:
        with without_retries():
            return rate_of(uri)
    except ValueError:
        return None


def _checked_text(utterance: Utterance, split: str, alphabet: Alphabet) -> str | None:
    text = utterance.text
    unknown = alphabet.unknown_characters(text) if text else ""
    if split not in _TEXT_NEEDED:
        # Only the language model and the topline use this text, so a text that they can't read is dropped.
        return alphabet.normalise(text) if text and not unknown else None
    spoken = alphabet.normalise(text or "")
    if unknown:
        raise ValueError(f"the text holds {named(unknown)}, outside {alphabet.advice}")
    if not spoken:
        raise ValueError(f"the text is empty, but {split} data needs one; add it or leave the utterance out")
    return spoken


def _checked_times(utterance: Utterance, info: AudioInfo | ValueError) -> Utterance:
    """The utterance with its true length: of one without an end, or which ends a little late, to its file's end."""
    if isinstance(info, ValueError):
        raise info
    if utterance.channel >= info.channels:
        raise ValueError(
            f"{utterance.audio}: channel {utterance.channel} was asked for, but the file has {info.channels}; "
            "fix corpus.channel or the source"
        )
    if info.seconds <= 0:
        raise ValueError(f"{utterance.audio}: the file holds no audio; fetch or record it again")
    end = info.seconds if math.isinf(utterance.duration) else utterance.offset + utterance.duration
    if not (0 <= utterance.offset < info.seconds and end <= info.seconds + OVERSHOOT_SECONDS):
        raise ValueError(
            f"{utterance.audio}: {utterance.offset:.2f}-{end:.2f} s was asked for, but the file lasts "
            f"{info.seconds:.2f} s; fix the times"
        )
    duration = min(end, info.seconds) - utterance.offset
    if duration <= 0:
        raise ValueError(f"{utterance.audio}: the utterance lasts {duration:.2f} s; fix its times")
    return replace(utterance, duration=duration)


def _check_length(utterance: Utterance, split: str, corpus: Corpus) -> None:
    if split in _LENGTH_LIMITED and not corpus.min_seconds <= utterance.duration <= corpus.max_seconds:
        can_cut = split not in _TEXT_NEEDED and utterance.duration > corpus.max_seconds
        raise ValueError(
            f"it lasts {utterance.duration:.2f} s, outside corpus.min_seconds={corpus.min_seconds:g} to "
            f"corpus.max_seconds={corpus.max_seconds:g}; "
            f"{'set corpus.segment: true' if can_cut else 'cut it into segments'} or change these"
        )
