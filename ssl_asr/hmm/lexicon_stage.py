"""Writing the run's lexicon from the words of its texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import chain

from ssl_asr.hmm.dictionary import KEY, content, given_lexicon, is_file, pronunciations, tell_left_out
from ssl_asr.lang.graphemes import grapheme_phones
from ssl_asr.lang.language import ENGLISH_LEXICON, GRAPHEMES
from ssl_asr.lang.lexicon import write_lexicon
from ssl_asr.lang.phones import ENGLISH, PhoneSet
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import digest, non_defaults
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.corpus_layout import lm_text_uri
from ssl_asr.store.hmm_layout import lexicon_inputs_uri, lexicon_uri, phones_uri
from ssl_asr.store.large_files import file_checksum, lines_of
from ssl_asr.store.shards import ShardStore

VERSION = "1"  # raise where a word gets other pronunciations, and with it the versions of flat start and graph
SPLITS = ("labeled", "dev", "test")
_SOURCE = "source"  # in the file of inputs: what the recipe called a lexicon
_TOLD = 5  # words


def pronunciation_inputs(recipe: Recipe) -> dict[str, str]:
    """What the pronunciations of a given word depend on."""
    named = recipe.hmm.lexicon
    if named == GRAPHEMES:
        return {"lexicon version": VERSION, KEY: GRAPHEMES}
    inputs = {"lexicon version": VERSION, **non_defaults(recipe, "lexicon")}
    return inputs if named == ENGLISH_LEXICON else {**inputs, KEY: content(named) or _kept_content(recipe)}


def _kept_content(recipe: Recipe) -> str:
    """A run goes on where the file of its lexicon is not, for nothing reads it once the run has its own."""
    kept = _kept(recipe.run)
    return kept.get(KEY, "missing") if kept.get(_SOURCE) == recipe.hmm.lexicon else "missing"


def lexicon_inputs(recipe: Recipe) -> dict[str, str]:
    store = ShardStore(recipe.run, utterance.STORE)
    texts = {split: digest(store.index(split).column("checksum").tolist()) for split in SPLITS}
    return {**pronunciation_inputs(recipe), **texts, "language text": file_checksum(lm_text_uri(recipe.run))}


def kept_inputs(run: str) -> dict[str, str] | None:
    """What the run's lexicon was made from; None where there is none."""
    kept = _kept(run)
    kept.pop(_SOURCE, None)
    has_phones = KEY not in kept or filesystem.exists(phones_uri(run))
    return kept if kept and has_phones and filesystem.exists(lexicon_uri(run)) else None


def _kept(run: str) -> dict[str, str]:
    uri = lexicon_inputs_uri(run)
    try:
        return dict(json.loads(filesystem.read_bytes(uri))) if filesystem.exists(uri) else {}
    except ValueError:  # damaged: it is made again
        return {}


def ensure_lexicon(recipe: Recipe) -> str:
    """The lexicon as today's texts and recipe ask for; returns its checksum. One of the same texts is left alone."""
    inputs = lexicon_inputs(recipe)
    if kept_inputs(recipe.run) != inputs:
        texts = chain(*(texts_of(recipe, split) for split in SPLITS), lines_of(lm_text_uri(recipe.run)))
        words = sorted({word for text in texts for word in text.split()})
        lexicon = pronunciations(recipe, words, _phones(recipe))
        if is_file(recipe.hmm.lexicon):
            tell_left_out(recipe.hmm.lexicon)
            inputs[_SOURCE] = recipe.hmm.lexicon
        if recipe.hmm.lexicon == GRAPHEMES and (unknown := lexicon.unknown(words)):
            print(
                f"warning: {len(unknown):,} of {len(words):,} words have letters that no labeled text has, and "
                f"can't be recognised: {' '.join(unknown[:_TOLD])}",
                file=sys.stderr,
            )
        write_lexicon(recipe.run, lexicon)
        filesystem.write_bytes(lexicon_inputs_uri(recipe.run), json.dumps(inputs, sort_keys=True).encode())
    return file_checksum(lexicon_uri(recipe.run))


def _phones(recipe: Recipe) -> PhoneSet:
    """The run's. Letters are those of the labeled texts: of another there would be nothing to learn from."""
    if recipe.hmm.lexicon == GRAPHEMES:
        return grapheme_phones({word for text in texts_of(recipe, "labeled") for word in text.split()})
    return given_lexicon(recipe.hmm.lexicon).lexicon.phones if is_file(recipe.hmm.lexicon) else ENGLISH


def texts_of(recipe: Recipe, split: str) -> Iterator[str]:
    """Texts of the split's utterances, empty where there is none."""
    store = ShardStore(recipe.run, utterance.STORE)
    slabs = (slab for shard in store.shards(split) for slab in store.read_slabs(shard, ["text"]))
    return (text or "" for slab in slabs for text in slab["text"].to_pylist())
