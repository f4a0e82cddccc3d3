"""Two halves of the speakers: in one the cohorts are searched, on the other they are measured.

A partition that was chosen for its large gap has a large gap where it was chosen, even if there is none. What is told
is measured on speakers that had no part in the choice ("honest" trees, Athey and Imbens 2016).
"""

from __future__ import annotations

import numpy as np

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
