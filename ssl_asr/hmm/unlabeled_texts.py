"""Alignments of the unlabeled speech by its texts, where the source knows them: the topline alone is trained on them.

Nothing else of the run may depend on these texts. So their words have a lexicon of their own beside the run's, whose
words are those of the decoding graph.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ssl_asr.hmm.alignment_job import alignment_parents
from ssl_asr.hmm.dictionary import pronunciations
from ssl_asr.hmm.lexicon_stage import texts_of
from ssl_asr.hmm.training import Trained
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.shard_stage import ShardStage
from ssl_asr.store import alignments, features, filesystem, utterance
from ssl_asr.store.hmm_layout import unlabeled_lexicon_uri
from ssl_asr.store.shards import ShardStore

SPLIT = "unlabeled"


def check_texts(recipe: Recipe) -> None:
    """ValueError if a topline is asked for and no unlabeled utterance has a text."""
    known = ShardStore(recipe.run, utterance.STORE).index(SPLIT).statistic("texts")
    if recipe.evaluate.topline and not np.nansum(known):
        raise ValueError(
            f"corpus.unlabeled={recipe.corpus.unlabeled} knows no text, so there is nothing to train the topline on; "
            "set evaluate.topline=false"
        )


def unlabeled_stage(recipe: Recipe, trained: Trained) -> ShardStage:
    source, store = ShardStore(recipe.run, features.STORE), _store(recipe, trained)
    return ShardStage(recipe, source, store, (SPLIT,), partial(alignment_parents, trained=trained))


def ensure_lexicon(recipe: Recipe) -> None:
    """Write the pronunciations of the texts' words that the run's lexicon lacks."""
    words = sorted({word for text in texts_of(recipe, SPLIT) for word in text.split()})
    known = read_lexicon(recipe.run)
    missing = pronunciations(recipe, known.unknown(words), known.phones)
    filesystem.write_if_changed(unlabeled_lexicon_uri(recipe.run), missing.to_text().encode())


def figures(recipe: Recipe, trained: Trained) -> dict[str, float | str]:
    """How much of the unlabeled speech has labels now."""
    index = _store(recipe, trained).index(SPLIT)
    frames = ShardStore(recipe.run, features.STORE).index(SPLIT).column("frames").sum()
    return {
        "unlabeled_aligned": f"{index.column('frames').sum() / max(frames, 1):.1%}",
        "unlabeled_without_text": float(np.nansum(index.statistic("without_text"))),
    }


def _store(recipe: Recipe, trained: Trained) -> ShardStore:
    return ShardStore(recipe.run, alignments.store_name(trained.senone_set))
