"""Two halves of the speakers: in one the cohorts are searched, on the other they are measured.

A partition that was chosen for its large gap has a large gap where it was chosen, even if there is none. What is told
is measured on speakers that had no part in the choice ("honest" trees, Athey and Imbens 2016).
"""

from __future__ import annotations

import numpy as np

from ssl_asr.fairness.cuts import Float
from ssl_asr.fairness.scored_table import Bool, Int


def searched_half(strata: Int, seed: int) -> Bool:
    """Half of the speakers of each stratum [speakers], at random; of an odd number one more, in turn of the strata.

    So every stratum of two speakers or more is in both halves.
    """
    draws = np.random.default_rng(seed).random(len(strata))
    order = np.lexsort((draws, strata))
    _, starts, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    ranks = np.arange(len(strata)) - np.repeat(starts, sizes)
    odd = sizes % 2
    turns = (np.cumsum(odd) - odd) % 2  # which half has had one more so far
    searched = np.empty(len(strata), np.bool_)
    searched[order] = (ranks + np.repeat(turns, sizes)) % 2 == 0
    return searched


def pairs_of(vectors_sd: Float, groups: Int) -> Int:
    """Strata [speakers]: pairs of a group who are alike, by place or by voice; one of an odd group has three.

    With halves of such pairs, a region of a few speakers has about as many in each (matched pairs, Greevy et al.
    2004).
    """
    strata = np.empty(len(groups), np.int64)
    pairs = [pair for group in np.unique(groups) for pair in _pairs(vectors_sd, np.flatnonzero(groups == group))]
    for number, pair in enumerate(pairs):
        strata[pair] = number
    return strata


def _pairs(vectors_sd: Float, rows: Int) -> list[Int]:
    """Speakers are divided in two along the axis on which they differ most, again and again."""
    if len(rows) <= 3:
        return [rows]
    centred = vectors_sd[rows] - vectors_sd[rows].mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False).Vh[0]
    along = centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    order, middle = rows[np.argsort(along, kind="stable")], 2 * round(len(rows) / 4)
    return _pairs(vectors_sd, order[:middle]) + _pairs(vectors_sd, order[middle:])
