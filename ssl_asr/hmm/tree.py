"""Tying triphones to senones: one regression tree over phonetic questions, for all phones together.

Every triphone in the data is a point: the mean of its frames in the space of the flat start's LDA, weighted by their
number. The tree splits so that the variance falls most. For Gaussians of equal covariance the likelihood then rises
most (Young, Odell & Woodland, "Tree-based state tying", 1994). Questions need no frames, so triphones that are not in
the data get a senone too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.tree import DecisionTreeRegressor

from ssl_asr.frontend.stacking import stack_labels
from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import Aligned, FlatModel, align_chunk, kept_inputs
from ssl_asr.hmm.lda import class_totals
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.hmm.triphones import centres, triphone_codes, triphones_of
from ssl_asr.lang.phones import SILENCE_ID, PhoneSet
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
    codes = [stack_labels(triphone_codes(one.labels, model.num_phones)) for one in aligned]
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


def grow_table(
    totals: TriphoneTotals,
    senones: int,
    least_frames: int,
    *,
    phones: PhoneSet,
    questions: Iterable[Sequence[str]],
) -> npt.NDArray[np.uint16]:
    """Table [left, centre, right] of at most `senones` senones, silence 0, each of at least `least_frames` frames.

    `questions` are classes of phones; the tree asks about each phone by itself too.
    """
    known = centres(totals.codes, len(phones)) != SILENCE_ID
    codes, count = totals.codes[known], totals.count[known]
    if not len(codes):
        raise ValueError("no labeled utterance could be aligned, so there is nothing to grow senones from")
    answers = _answers(phones, questions)
    tree = DecisionTreeRegressor(
        max_leaf_nodes=max(senones - 1, 2),
        min_weight_fraction_leaf=min(least_frames / count.sum(), 0.5),
        random_state=0,
    )
    asked = _asked(answers, triphones_of(codes, len(phones)))
    tree.fit(asked, totals.total[known] / count[:, None], sample_weight=count)
    leaves = np.flatnonzero(tree.tree_.children_left < 0)
    table = np.full((len(phones),) * 3, SILENCE_SENONE, np.uint16)
    for left, senone in enumerate(table):  # answers for all triphones at once would fill the memory
        centre, right = np.indices(senone[1:].shape).reshape(2, -1)
        triphones = np.stack([np.full_like(centre, left), centre + 1, right], axis=1)
        senone[1:] = (np.searchsorted(leaves, tree.apply(_asked(answers, triphones))) + 1).reshape(senone[1:].shape)
    return table


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


def _answers(phones: PhoneSet, questions: Iterable[Sequence[str]]) -> npt.NDArray[np.float32]:
    """Of each phone [phones, phones + classes], 0 or 1: is it a, b, ..., a vowel, ...?"""
    classes = np.zeros((len(phones), 0), np.float32)
    for members in questions:
        column = np.zeros((len(phones), 1), np.float32)
        column[[phones.ids[phone] for phone in members]] = 1
        classes = np.hstack([classes, column])
    return np.hstack([np.eye(len(phones), dtype=np.float32), classes])


def _asked(answers: npt.NDArray[np.float32], triphones: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """The answers for left, centre and right of triphones [N, 3], in one row each."""
    return answers[triphones].reshape(len(triphones), -1)
