"""Where the recipe's four splits come from."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ssl_asr.corpus.audio_places import file_of
from ssl_asr.corpus.audio_versions import changed_audio
from ssl_asr.corpus.checks import checked
from ssl_asr.corpus.open_speech import accents
from ssl_asr.corpus.open_speech.speech import open_speech
from ssl_asr.corpus.open_speech.splits import Splits, cut_open_speech
from ssl_asr.corpus.piece_job import Source
from ssl_asr.corpus.pieces import Piece
from ssl_asr.corpus.readers.reading import Reading
from ssl_asr.corpus.readers.registry import READERS, ReadOptions, check_has_texts, pieces_at
from ssl_asr.lang.language import language_of
from ssl_asr.lang.text import Alphabet
from ssl_asr.recipe import Corpus, Recipe
from ssl_asr.recipe.identity import Inputs, digest
from ssl_asr.store.utterance import SPLITS

OPEN_SPEECH = "open-speech"
KALDI = "kaldi"  # whose lists may name commands


@dataclass(frozen=True)
class CutSpeech:
    """Open speech cut into splits. `line` says where it comes from, `id` tells it from other open speech."""

    splits: Splits
    line: str
    id: str


@dataclass(frozen=True)
class ReadPiece:
    """The usable part of a piece of one's own source.

    With `compared`, the files of audio that was not opened are among those that were looked at too.
    """

    reader: str
    split: str
    corpus: Corpus
    alphabet: Alphabet
    current: str  # the driver's directory
    compared: bool = False

    def __call__(self, piece: Piece) -> Reading:
        pipes = has_pipes(self.corpus, self.split)
        trusted = is_trusted(self.corpus, self.split, self.reader)
        options = ReadOptions(
            self.current,
            self.corpus.channel,
            texts=self.split != "unlabeled",
            pipes=pipes,
            lengths=trusted,
            longest=self.corpus.max_seconds,
        )
        reading = READERS[self.reader].read(piece, options)
        found = checked(reading, self.split, self.corpus, alphabet=self.alphabet, pipes=pipes, trusted=trusted)
        if not self.compared:
            return found
        return replace(
            found, files=found.files.union(filter(None, (file_of(each.audio) for each in found.utterances)))
        )


def has_pipes(corpus: Corpus, split: str) -> bool:
    """Whether commands are run as the split's audio; a list of another form than Kaldi's must not name any."""
    return corpus.pipes and corpus.source_of(split).partition(":")[0] == KALDI


def is_trusted(corpus: Corpus, split: str, reader: str) -> bool:
    """Whether lengths that the list gives are believed, and their audio is not opened."""
    return split == "unlabeled" and corpus.trust_lengths and reader in READERS and READERS[reader].gives_lengths


class SourceLists:
    """The pieces of the sources that a command is about: each source is looked through once, when it is asked for."""

    def __init__(self) -> None:
        self._found: dict[str, list[Piece]] = {}

    def of(self, source: str) -> list[Piece]:
        """Of a READER:PATH; ValueError and OSError as `pieces_at`, and then it is looked for again."""
        if source not in self._found:
            reader, _, path = source.partition(":")
            self._found[source] = pieces_at(reader, path)
        return self._found[source]


def check_sources(corpus: Corpus, read: Collection[str] = SPLITS, lists: SourceLists | None = None) -> None:
    """ValueError naming the recipe's key if a source is neither open-speech nor READER:PATH.

    Those of the splits `read` must exist too.
    """
    lists = lists or SourceLists()
    for split in SPLITS:
        source = corpus.source_of(split)
        reader, colon, path = source.partition(":")
        if source == OPEN_SPEECH:
            continue
        if not colon or reader not in READERS:
            near = difflib.get_close_matches(reader, [OPEN_SPEECH, *READERS], 1, cutoff=0.4)
            fix = f"did you mean '{near[0]}{'' if near[0] == OPEN_SPEECH else ':PATH'}'?" if near else ""
            raise ValueError(
                f"corpus.{split}={source} is not a source; "
                + (fix or f"use {OPEN_SPEECH} or one of {', '.join(READERS)}, a colon and a path")
            )
        try:
            if split != "unlabeled":
                check_has_texts(reader, path)
            if split in read:
                lists.of(source)
        except ValueError as error:
            raise ValueError(f"corpus.{split}={error}") from None


def source_of(
    recipe: Recipe, split: str, inputs: Inputs, speech: CutSpeech | None, lists: SourceLists | None = None
) -> Source:
    """Of one split; `speech` is asked for open speech alone, which is read already and in the order of its time."""
    named = recipe.corpus.source_of(split)
    if named == OPEN_SPEECH:
        assert speech is not None, "open speech was cut"
        reading = Reading(getattr(speech.splits, split))
        return Source([Piece(OPEN_SPEECH, 0, 0, speech.id)], lambda piece: reading, inputs, is_ordered=True)
    reader = named.partition(":")[0]
    pieces = (lists or SourceLists()).of(named)
    audio = changed_audio(recipe.run, split, [piece.name for piece in pieces])
    alphabet = language_of(recipe.hmm.lexicon).alphabet
    read = ReadPiece(reader, split, recipe.corpus, alphabet, os.getcwd(), _is_compared(recipe.corpus, pieces))
    group = recipe.corpus.group if split == "unlabeled" else "speaker"
    # Without a test set, utterances get the split's name as set.
    return Source(pieces, read, inputs, {"set": split}, changed_audio=audio, group=group)


def _is_compared(corpus: Corpus, pieces: Sequence[Piece]) -> bool:
    """Whether it takes little time to look at all audio of the source at each start."""
    return sum(piece.listed_bytes for piece in pieces) <= corpus.compared_list_mb * 1e6


def cut_speech(recipe: Recipe) -> CutSpeech:
    """Open speech is fetched where it isn't yet."""
    speech = open_speech(recipe.corpus.cache, accented=recipe.corpus.accents)
    made = [f"accents {accents.VERSION}"] if recipe.corpus.accents else []  # their tags may differ, too
    found = digest([f"{each.id} {each.duration:g}" for each in speech.utterances] + made)
    return CutSpeech(cut_open_speech(speech, recipe.corpus, recipe.seed), speech.source, found)


def listed(source: str, lists: SourceLists | None = None) -> list[Piece] | None:
    """The pieces of a READER:PATH source; None where there is nothing, or it can't be reached."""
    try:
        return (lists or SourceLists()).of(source)
    except (ValueError, OSError):
        return None


def fingerprint(pieces: Sequence[Piece]) -> str:
    """Of the files that list a source: large ones by size and time, others by content."""
    return digest([f"{piece.uri.rpartition('/')[2]} {piece.begin} {piece.state}" for piece in pieces])
