"""Writing the run's two lexicons from the words of its texts."""

from __future__ import annotations

from collections.abc import Iterable

from ssl_asr.lang.g2p import pronounce
from ssl_asr.lang.lexicon import ALIGNMENT_LEXICON, LEXICON, Lexicon, cmudict, write_lexicon
from ssl_asr.lang.text import normalise
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.layout import hmm_uri, lm_text_uri
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore


def ensure_lexicons(recipe: Recipe) -> str:
    """Both lexicons as today's texts and recipe ask for; returns the checksum of the first.

    Lexicons of the same texts, already there, are left alone.
    """
    key = _key(recipe)
    uris = {name: hmm_uri(recipe.run, name) for name in (LEXICON, ALIGNMENT_LEXICON, "lexicon.key")}
    there = all(map(filesystem.exists, uris.values()))
    if not there or filesystem.read_bytes(uris["lexicon.key"]).decode() != key:
        known = _words(_texts(recipe, "labeled")) | _words(_texts(recipe, "dev")) | _words(_lm_text(recipe))
        tested = _words(_texts(recipe, "test"))
        everything = build_lexicon(sorted(known | tested), recipe.hmm.g2p_words, recipe.corpus.cache)
        write_lexicon(recipe.run, everything, ALIGNMENT_LEXICON)
        write_lexicon(recipe.run, Lexicon.from_pairs(everything.entries(known & set(everything.words))))
        filesystem.write_bytes(uris["lexicon.key"], key.encode())
    return checksum(filesystem.read_bytes(uris[LEXICON]))


def build_lexicon(words: Iterable[str], g2p_words: int, cache: str) -> Lexicon:
    """Pronunciations of `words`: cmudict's, else G2P's, else none (see `g2p.pronounce`)."""
    dictionary = cmudict()
    words = list(words)
    unknown = dictionary.unknown(words)
    guessed = pronounce(unknown, dictionary, g2p_words, cache)
    known = [word for word in words if word in dictionary.pronunciations]
    return Lexicon.from_pairs([*dictionary.entries(known), *guessed.items()])


def _key(recipe: Recipe) -> str:
    store = ShardStore(recipe.run, utterance.STORE)
    parts = [entry.checksum for split in ("labeled", "dev", "test") for entry in store.entries(split)]
    parts += [checksum(filesystem.read_bytes(lm_text_uri(recipe.run))), str(recipe.hmm.g2p_words)]
    return checksum(" ".join(parts).encode())


def _texts(recipe: Recipe, split: str) -> list[str]:
    store = ShardStore(recipe.run, utterance.STORE)
    slabs = (slab for entry in store.entries(split) for slab in store.read_slabs(entry.shard, ["text"]))
    return [normalise(text or "") for slab in slabs for text in slab["text"].to_pylist()]


def _lm_text(recipe: Recipe) -> list[str]:
    return filesystem.read_bytes(lm_text_uri(recipe.run)).decode().splitlines()


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}
