"""Classes of phones that sound alike, found in the flat start's model: questions for a tree of any set of phones."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import linkage

from ssl_asr.hmm.flat_model import FlatModel
from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.lang.phones import PhoneSet


def clustered_questions(model: FlatModel, phones: PhoneSet) -> list[tuple[str, ...]]:
    """Every node of a dendrogram of the spoken phones but its root, the smallest first.

    Phones are joined by Ward's criterion (Ward, "Hierarchical grouping to optimize an objective function", 1963): by
    how much the variance of their states' means grows. In the space of LDA all directions count alike.
    """
    mixtures = model.mixtures
    means = (mixtures.weights[:, :, None] * mixtures.means).sum(axis=1)
    points = means.reshape(len(means) // STATES_PER_PHONE, -1)[1:]  # without silence
    nodes: list[tuple[str, ...]] = [(name,) for name in phones.names[1:]]
    if len(nodes) < 2:
        return []
    for left, right in linkage(points, "ward")[:, :2].astype(np.int64).tolist():
        nodes.append(nodes[left] + nodes[right])
    return nodes[len(points) : -1]
