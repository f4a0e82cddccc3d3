"""Writing the run's lexicon from the words of its texts."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ssl_asr.lang.g2p import pronounce
from ssl_asr.lang.lexicon import Lexicon, cmudict, write_lexicon
from ssl_asr.lang.text import normalise
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest, non_defaults
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.layout import lexicon_inputs_uri, lexicon_uri, lm_text_uri
from ssl_asr.store.ledger import checksum
from ssl_asr.store.shards import ShardStore

VERSION = "1"  # raise where a word gets other pronunciations, and with it the versions of flat start and graph
SPLITS = ("labeled", "dev", "test")


def pronunciation_inputs(recipe: Recipe) -> dict[str, str]:
    """What the pronunciations of a given word depend on."""
    return {"lexicon version": VERSION, **non_defaults(recipe, "lexicon")}


def lexicon_inputs(recipe: Recipe) -> dict[str, str]:
    store = ShardStore(recipe.run, utterance.STORE)
    texts = {split: digest(store.index(split).column("checksum").tolist()) for split in SPLITS}
    return {**pronunciation_inputs(recipe), **texts, "language text": _checksum(lm_text_uri(recipe.run))}


def kept_inputs(run: str) -> dict[str, str] | None:
    """What the run's lexicon was made from; None where there is none."""
    uri = lexicon_inputs_uri(run)
    if not (filesystem.exists(uri) and filesystem.exists(lexicon_uri(run))):
        return None
    try:
        return dict(json.loads(filesystem.read_bytes(uri)))
    except ValueError:  # damaged: it is made again
        return None


def ensure_lexicon(recipe: Recipe) -> str:
    """The lexicon as today's texts and recipe ask for; returns its checksum. One of the same texts is left alone."""
    inputs = lexicon_inputs(recipe)
    if kept_inputs(recipe.run) != inputs:
        texts = [line for split in SPLITS for line in texts_of(recipe, split)] + _lm_text(recipe)
        words = sorted({word for text in texts for word in text.split()})
        write_lexicon(recipe.run, build_lexicon(words, recipe.hmm.g2p_words, recipe.corpus.cache))
        filesystem.write_bytes(lexicon_inputs_uri(recipe.run), json.dumps(inputs, sort_keys=True).encode())
    return _checksum(lexicon_uri(recipe.run))


def build_lexicon(words: Iterable[str], g2p_words: int, cache: str) -> Lexicon:
    """Pronunciations of `words`: cmudict's, else G2P's, else none (see `g2p.pronounce`)."""
    dictionary = cmudict()
    words = list(words)
    unknown = dictionary.unknown(words)
    guessed = pronounce(unknown, dictionary, g2p_words, cache)
    known = [word for word in words if word in dictionary.pronunciations]
    return Lexicon.from_pairs([*dictionary.entries(known), *guessed.items()], dictionary.phones)


def texts_of(recipe: Recipe, split: str) -> list[str]:
    """Texts of the split's utterances, normalised; empty where there is none."""
    store = ShardStore(recipe.run, utterance.STORE)
    slabs = (slab for shard in store.shards(split) for slab in store.read_slabs(shard, ["text"]))
    return [normalise(text or "") for slab in slabs for text in slab["text"].to_pylist()]


def _lm_text(recipe: Recipe) -> list[str]:
    return filesystem.read_bytes(lm_text_uri(recipe.run)).decode().splitlines()


def _checksum(uri: str) -> str:
    return checksum(filesystem.read_bytes(uri))
