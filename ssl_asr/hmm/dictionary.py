"""What `hmm.lexicon` names: cmudict, the spelling of words, or a lexicon that a person gives."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache

from ssl_asr.corpus.readers.lines import read_lines
from ssl_asr.lang.g2p import pronounce
from ssl_asr.lang.graphemes import spelled
from ssl_asr.lang.language import ENGLISH_LEXICON, GRAPHEMES
from ssl_asr.lang.lexicon import Lexicon, cmudict
from ssl_asr.lang.lexicon_file import GivenLexicon, parse_lexicon
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import checksum

KEY = "hmm.lexicon"
FILE_VERSION = "1"  # raise where an equal file gives other pronunciations


def is_file(lexicon: str) -> bool:
    return lexicon not in (ENGLISH_LEXICON, GRAPHEMES)


def content(lexicon: str) -> str | None:
    """What tells the value of `hmm.lexicon` from others: of a file its content, None where there is none."""
    if not is_file(lexicon):
        return lexicon
    modified = filesystem.modified(filesystem.absolute(lexicon))
    return None if modified is None else f"{FILE_VERSION} {_checksum(filesystem.absolute(lexicon), modified)}"


def given_lexicon(lexicon: str) -> GivenLexicon:
    """That of a file; ValueError if there is none, or if a line is wrong."""
    uri = filesystem.absolute(lexicon)
    modified = filesystem.modified(uri)
    if modified is None:
        raise ValueError(
            f"{KEY}={lexicon}: there is no such file; correct it, or use {ENGLISH_LEXICON} or {GRAPHEMES}"
        )
    return _parsed(uri, modified, lexicon)


def pronunciations(recipe: Recipe, words: Iterable[str], phones: PhoneSet) -> Lexicon:
    """Of `words`, as the recipe asks; those without any are left out. `phones` are the run's."""
    named = recipe.hmm.lexicon
    if named == GRAPHEMES:
        return spelled(words, phones)
    dictionary = given_lexicon(named).lexicon if is_file(named) else cmudict()
    return looked_up(words, dictionary, recipe.hmm.g2p_words, recipe.corpus.cache)


def looked_up(words: Iterable[str], dictionary: Lexicon, g2p_words: int, cache: str) -> Lexicon:
    """Pronunciations of `words`: those of the dictionary, else G2P's, else none (see `g2p.pronounce`)."""
    words = list(words)
    guessed = pronounce(dictionary.unknown(words), dictionary, g2p_words, cache)
    known = [word for word in words if word in dictionary.pronunciations]
    return Lexicon.from_pairs([*dictionary.entries(known), *guessed.items()], dictionary.phones)


def tell_left_out(lexicon: str) -> None:
    """Tell a person of lines of the file that no text can use."""
    for what, count in given_lexicon(lexicon).left_out.items():
        print(f"warning: {KEY}={lexicon}: {count:,} lines {what} are left out", file=sys.stderr)


@lru_cache(maxsize=16)  # several parts of a stage, and the stages after it, ask for the same
def _checksum(uri: str, modified: float) -> str:
    try:
        return checksum(filesystem.read_bytes(uri))
    except ValueError as error:  # such as a folder
        raise ValueError(f"{KEY}={uri} cannot be read as a file; correct it") from error


@lru_cache(maxsize=2)
def _parsed(uri: str, modified: float, lexicon: str) -> GivenLexicon:
    return parse_lexicon(read_lines(uri), f"{KEY}={lexicon}")
