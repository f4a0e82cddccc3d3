"""What the hypotheses stage tells of its words; and how many are wrong, where the speech's texts are known.

These texts are compared with the words here, and reach nothing that is trained.
"""

from __future__ import annotations

import numpy as np

from ssl_asr.evaluation.scoring import Edits, count_edits
from ssl_asr.hypotheses.sets import SPLIT
from ssl_asr.store import utterance
from ssl_asr.store.ledger import Shard
from ssl_asr.store.ledger_index import LedgerIndex
from ssl_asr.store.shards import ShardStore


def figures_of(store: ShardStore) -> dict[str, float | str]:
    """Hours, words, their mean confidence over time, and the share of utterances without a word; WER if known."""
    index = store.index(SPLIT)
    utterances, judged = _total(index, "utterances"), index.statistic("judged_frames")
    confidence = float(np.nansum(index.statistic("confidence") * judged) / max(np.nansum(judged), 1.0))
    figures: dict[str, float | str] = {
        "hours": round(float(index.column("seconds").sum()) / 3600, 3),
        "words": _total(index, "words"),
        "without_words": f"{_total(index, 'empty') / max(utterances, 1.0):.1%}",
    }
    if np.nansum(judged):
        figures["confidence"] = round(confidence, 4)
    edits = word_errors(store)
    return figures | ({"wer": f"{edits.word_error_rate:.1%}"} if edits.words else {})


def unmatched(store: ShardStore) -> tuple[float, float, float]:
    """Of another recogniser's words: utterances that have some, that have some of no use, and that have none."""
    index = store.index(SPLIT)
    matched, rejected = _total(index, "matched"), float(index.column("rejects").sum())
    return matched, rejected, _total(index, "utterances") - matched - rejected


def unmatched_figures(store: ShardStore, written: int | None) -> dict[str, float | str]:
    """Unlabeled utterances that the files have not, and of the `written` ones, if known, those not unlabeled."""
    matched, rejected, missing = unmatched(store)
    others = {} if written is None else {"of_other_speech": written - matched - rejected}
    return {"not_in_the_file": missing, **others}


def word_errors(store: ShardStore) -> Edits:
    """Against the texts of the manifest, of recordings that have one; of an utterance without words all are wrong."""
    said, found = ShardStore(store.root, utterance.STORE), Edits()
    listed = said.index(SPLIT)
    with_text = listed.numbers[listed.statistic("texts") > 0]
    for number in np.intersect1d(with_text, store.index(SPLIT).numbers).tolist():
        shard = Shard(SPLIT, number)
        texts = dict(zip(*_columns(said, shard, "id", "text"), strict=True))
        for name, frames, text in zip(*_columns(store, shard, "id", "num_frames", "text"), strict=True):
            if frames and texts.get(name) is not None:  # the row of a copy has no frames
                found += count_edits(texts[name].split(), text.split())
    return found


def _columns(store: ShardStore, shard: Shard, *names: str) -> list[list]:
    table = store.read(shard, names)
    return [table[name].to_pylist() for name in names]


def _total(index: LedgerIndex, statistic: str) -> float:
    return float(np.nansum(index.statistic(statistic)))
