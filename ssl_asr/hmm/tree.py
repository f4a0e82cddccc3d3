"""Tying triphones to senones: one regression tree over phonetic questions, for all phones together.

Every triphone in the data is a point: the mean of its frames in the space of the flat start's LDA, weighted by their
number. The tree splits so that the variance falls most. For Gaussians of equal covariance the likelihood then rises
most (Young, Odell & Woodland, "Tree-based state tying", 1994). Questions need no frames, so triphones that are not in
the data get a senone too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeRegressor

from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import Aligned, FlatModel, align_chunk, kept_inputs
from ssl_asr.hmm.lda import class_totals
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.triphones import all_triphones, triphone_codes
from ssl_asr.lang.phones import PHONE_IDS, PHONES, QUESTIONS
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem


@dataclass(frozen=True)
class TriphoneTotals:
    """Triphones in the data: `codes` [N], `count` [N] of their 30 ms frames, `total` [N, D], sum of the frames."""

    codes: npt.NDArray[np.int32]
    count: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]


def triphone_totals(chunk: Sequence[Transcribed], model: FlatModel) -> TriphoneTotals:
    """Totals of a chunk aligned by `model`, of its frames as the model observes them."""
    _, aligned = align_chunk(chunk, model)
    return totals_of(list(aligned.values()), model)


def totals_of(aligned: Sequence[Aligned], model: FlatModel) -> TriphoneTotals:
    """Totals of utterances that `model` has aligned."""
    frames = [stack_labels(one.frames) for one in aligned]
    codes = [stack_labels(triphone_codes(one.labels)) for one in aligned]
    width = model.mixtures.means.shape[2]
    return _totals(
        np.concatenate([np.zeros(0, np.int32), *codes]), np.concatenate([np.zeros((0, width), np.float32), *frames])
    )


def merge(parts: Sequence[TriphoneTotals]) -> TriphoneTotals:
    """Totals of all `parts`, added in their order."""
    codes = np.concatenate([part.codes for part in parts])
    seen, labels = np.unique(codes, return_inverse=True)
    _, total = class_totals(np.concatenate([part.total for part in parts]), labels, len(seen))
    count = np.bincount(labels, np.concatenate([part.count for part in parts]), len(seen))
    return TriphoneTotals(seen, count.astype(np.float64), total)


def grow_table(totals: TriphoneTotals, senones: int, least_frames: int) -> npt.NDArray[np.uint16]:
    """Table [left, centre, right] of at most `senones` senones, silence 0, each of at least `least_frames` frames."""
    triphones = all_triphones()
    spoken = triphones[:, 1] != 0
    known = spoken[totals.codes]
    codes, count = totals.codes[known], totals.count[known]
    if not len(codes):
        raise ValueError("no labeled utterance could be aligned, so there is nothing to grow senones from")
    asked = _questions(triphones)
    tree = DecisionTreeRegressor(
        max_leaf_nodes=max(senones - 1, 2),
        min_weight_fraction_leaf=min(least_frames / count.sum(), 0.5),
        random_state=0,
    )
    tree.fit(asked[codes], totals.total[known] / count[:, None], sample_weight=count)
    leaves = np.flatnonzero(tree.tree_.children_left < 0)
    table = np.full(len(triphones), SILENCE_SENONE, np.uint16)
    table[spoken] = np.searchsorted(leaves, tree.apply(asked[spoken])) + 1
    return table.reshape((len(PHONES),) * 3)


def write_table(uri: str, table: npt.NDArray[np.uint16], inputs: Inputs) -> None:
    """Keep a finished table with what it was made from."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=np.array(json.dumps(dict(inputs), sort_keys=True)), table=table)
    filesystem.write_bytes(uri, buffer.getvalue())


def read_table(uri: str, inputs: Inputs) -> npt.NDArray[np.uint16] | None:
    """The table kept at `uri`; None if there is none, or if it was made from something else."""
    if kept_inputs(uri) != inputs:
        return None
    with np.load(io.BytesIO(filesystem.read_bytes(uri)), allow_pickle=False) as arrays:
        table: npt.NDArray[np.uint16] = arrays["table"]
        return table


def _totals(codes: npt.NDArray[np.int32], frames: npt.NDArray[np.float32]) -> TriphoneTotals:
    seen, labels = np.unique(codes, return_inverse=True)
    return TriphoneTotals(seen, *class_totals(frames, labels, len(seen)))


def _questions(triphones: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """Answers [triphones, 3 x (phones + classes)], 0 or 1: is the left, centre, right one a, b, ..., a vowel, ...?"""
    answers = np.zeros((len(PHONES), len(PHONES) + len(QUESTIONS)), np.float32)
    answers[np.arange(len(PHONES)), np.arange(len(PHONES))] = 1
    for column, members in enumerate(QUESTIONS.values(), len(PHONES)):
        answers[[PHONE_IDS[phone] for phone in members], column] = 1
    return answers[triphones].reshape(len(triphones), -1)
