"""Whether a text belongs to its audio, judged by how texts of other utterances fit the same audio.

The fit of a text is its log-likelihood between two anchors: what other texts of like length reach on average, and
what the best state of every frame reaches whatever the text. Other texts have a fit of about 0, right ones of 0.5 to
0.9. Both anchors move with the speaker, the noise and the length, so one scale holds for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import Aligned, FlatModel
from ssl_asr.hmm.viterbi import align

COMPETITORS = 4
# They are drawn from this many texts, those closest in length.
CANDIDATES = 40
# The fit where right and wrong texts are equally probable, and the scale of the log odds beside it.
MIDDLE, SCALE = 0.4, 0.04
DOUBTED_BELOW = 0.5  # probability that a text belongs to its audio


@dataclass(frozen=True)
class TextCheck:
    """What an utterance's text was found to be: `fit`, and `margin`, nats a frame by which it beats the best other.

    `better` is the id of the utterance whose text fits best, if that is not its own. `shift` is -1 or 1 if that is
    the utterance before or after.
    """

    fit: float
    margin: float
    better: str | None = None
    shift: int = 0

    @property
    def probability(self) -> float:
        """Probability that the text belongs to the audio."""
        return 1 / (1 + math.exp(min((MIDDLE - self.fit) / SCALE, 700.0)))


@dataclass(frozen=True)
class Rivals:
    """Utterances whose texts compete with one's own: some drawn, and those before (-1) and after it (1), if any."""

    drawn: Sequence[Transcribed]
    neighbours: Mapping[int, Transcribed]


class Texts:
    """The texts of a shard's utterances, in their order, as rivals of each other."""

    def __init__(self, spoken: Sequence[Transcribed]) -> None:
        self._spoken = spoken
        self._places = {each.id: place for place, each in enumerate(spoken)}
        self._by_length = sorted(spoken, key=lambda each: (len(each.path), each.id))
        self._ranks = {each.id: rank for rank, each in enumerate(self._by_length)}

    def __contains__(self, utterance: str) -> bool:
        return utterance in self._ranks

    def rivals(self, own: Transcribed) -> Rivals:
        """Drawn by ids and texts alone. No rival has the same text, or needs more frames than there are."""
        first = max(self._ranks[own.id] - CANDIDATES // 2, 0)
        near = [each for each in self._by_length[first : first + CANDIDATES + 1] if _may_compete(own, each)]
        order = np.random.default_rng(list(own.id.encode())).permutation(len(near))
        beside = {shift: self._places[own.id] + shift for shift in (-1, 1)}
        neighbours = {shift: self._spoken[at] for shift, at in beside.items() if 0 <= at < len(self._spoken)}
        return Rivals(
            [near[place] for place in order[:COMPETITORS]],
            {shift: each for shift, each in neighbours.items() if _may_compete(own, each)},
        )


def align_and_check(model: FlatModel, own: Transcribed, rivals: Rivals) -> tuple[Aligned | None, TextCheck | None]:
    """The alignment of `own`, None if no path fits, and the check of its text, None if it has no rival.

    An imported alignment is taken for that of the text. A better text is looked for among all rivals; only the drawn
    ones say what chance is.
    """
    frames = model.observe(own.cepstra)
    scores = model.mixtures.log_likelihoods(frames, np.arange(model.num_states, dtype=np.int32))
    labels = _path(scores, own) if own.known is None else own.known
    if labels is None:
        return None, None
    aligned = Aligned(frames, labels, _log_likelihood(scores, labels))
    found = {each.id: _rival_log_likelihood(scores, each) for each in (*rivals.drawn, *rivals.neighbours.values())}
    by_chance = [found[each.id] for each in rivals.drawn if math.isfinite(found[each.id])]
    if not by_chance:
        return aligned, None
    chance, most = float(np.mean(by_chance)), float(scores.max(axis=1).sum(dtype=np.float64))
    fit = (aligned.log_likelihood - chance) / max(most - chance, 1e-6)
    best = max(found, key=lambda name: found[name])
    margin = (aligned.log_likelihood - found[best]) / len(frames)
    if margin >= 0:
        return aligned, TextCheck(fit, margin)
    shift = next((shift for shift, each in rivals.neighbours.items() if each.id == best), 0)
    return aligned, TextCheck(fit, margin, best, shift)


def _may_compete(own: Transcribed, other: Transcribed) -> bool:
    return len(other.path) <= len(own.cepstra) and not np.array_equal(own.path, other.path)


def _path(scores: npt.NDArray[np.float32], text: Transcribed) -> npt.NDArray[np.int32] | None:
    return align(text.graph, scores[:, text.states], text.states)


def _rival_log_likelihood(scores: npt.NDArray[np.float32], text: Transcribed) -> float:
    labels = _path(scores, text)
    return -math.inf if labels is None else _log_likelihood(scores, labels)


def _log_likelihood(scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> float:
    return float(scores[np.arange(len(labels)), labels].sum(dtype=np.float64))
