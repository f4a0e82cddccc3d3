"""The word pieces of a run's transducers: trained once from the transcripts of the labeled speech.

From no other text: that of the language model may hold what the unlabeled speech says, which no training may know.
"""

from __future__ import annotations

from collections.abc import Iterator

from ssl_asr.lang.word_pieces import WordPieces, train_word_pieces
from ssl_asr.recipe import Recipe, Transducer
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.training_layout import word_pieces_uri
from ssl_asr.training.inputs import digest_of
from ssl_asr.training.objectives.turn_labels import MARKS

VERSION = "1"  # raise where equal texts give other pieces
SPLIT = "labeled"


def labeled_texts(recipe: Recipe) -> str:
    """A hash of the manifest of the labeled speech."""
    return digest_of(ShardStore(recipe.run, utterance.STORE), SPLIT)


def word_pieces_of(recipe: Recipe, settings: Transducer) -> str:
    """The file of a transducer's pieces, named by what they are trained from."""
    inputs = {"version": VERSION, "texts": labeled_texts(recipe), "size": str(settings.word_pieces)}
    if symbols := _symbols(settings):
        inputs["symbols"] = " ".join(symbols)
    return word_pieces_uri(recipe.run, inputs_key(inputs))


def ensure_word_pieces(recipe: Recipe, settings: Transducer) -> WordPieces:
    """Train the pieces if they are not there; ValueError where the transcripts are too few for so many."""
    uri = word_pieces_of(recipe, settings)
    if not filesystem.exists(uri):
        found = train_word_pieces(_texts(recipe), settings.word_pieces, _symbols(settings))
        filesystem.write_bytes(uri, found.model)
    return WordPieces(filesystem.read_bytes(uri), uri)


def _symbols(settings: Transducer) -> tuple[str, ...]:
    return () if settings.conversations is None else MARKS[settings.conversations.marks]


def _texts(recipe: Recipe) -> Iterator[str]:
    """One shard's are held at a time."""
    store = ShardStore(recipe.run, utterance.STORE)
    for shard in store.shards(SPLIT):
        table = store.read(shard, ["text", "condition"])
        for text, condition in zip(*(column.to_pylist() for column in table.columns), strict=True):
            if text and condition == utterance.CLEAN:
                yield text
