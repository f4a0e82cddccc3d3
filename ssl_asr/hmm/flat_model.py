"""The acoustic model of the flat start, and the statistics of one chunk of utterances under this model."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.cepstra import CEPSTRA, SPLICED, spliced, with_deltas
from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.lda import Scatter, class_scatter, no_scatter
from ssl_asr.hmm.mixtures import Mixtures, SufficientStatistics, no_moments, single_moments
from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.hmm.viterbi import align, align_equally
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class FlatModel:
    """Mixtures of the states; `transform` [9 x 13, D] maps spliced cepstra to their space (None: deltas)."""

    mixtures: Mixtures
    transform: npt.NDArray[np.float64] | None = None

    @property
    def num_states(self) -> int:
        return len(self.mixtures.means)

    @property
    def num_phones(self) -> int:
        return self.num_states // STATES_PER_PHONE

    def observe(self, cepstra: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Cepstra [T, 13] in the space of the mixtures, [T, D]."""
        if self.transform is None:
            return with_deltas(cepstra)
        return spliced(cepstra) @ self.transform.astype(np.float32)

    def align(self, utterance: Transcribed) -> Aligned | None:
        """The most likely states of an utterance; None if no path of its text fits its frames.

        If its states are known by an imported alignment, these.
        """
        frames = self.observe(utterance.cepstra)
        if utterance.known is not None:
            states, columns = np.unique(utterance.known, return_inverse=True)
            scores = self.mixtures.log_likelihoods(frames, states)
            return Aligned(frames, utterance.known, _total(scores, columns))
        scores = self.mixtures.log_likelihoods(frames, utterance.states)
        labels = align(utterance.graph, scores, utterance.states)
        if labels is None:
            return None
        return Aligned(frames, labels, _total(scores, np.searchsorted(utterance.states, labels)))


def _total(scores: npt.NDArray[np.float32], columns: npt.NDArray[np.integer]) -> float:
    return float(scores[np.arange(len(columns)), columns].sum(dtype=np.float64))


@dataclass(frozen=True)
class Aligned:
    """`frames` [T, D] as the model observes them, the state of each, `labels` [T], and their log-likelihood."""

    frames: npt.NDArray[np.float32]
    labels: Labels
    log_likelihood: float


@dataclass(frozen=True)
class Fit:
    """How well a model explains what it aligned: log-likelihood (nats), 10 ms frames, utterances without a path."""

    log_likelihood: float = 0.0
    frames: int = 0
    failed: int = 0

    def __add__(self, other: Fit) -> Fit:
        return Fit(self.log_likelihood + other.log_likelihood, self.frames + other.frames, self.failed + other.failed)

    @property
    def per_frame(self) -> float:
        return self.log_likelihood / max(self.frames, 1)


def equal_moments(chunk: Sequence[Transcribed], num_states: int) -> SufficientStatistics:
    """Statistics [num_states, 1, 39] of a chunk, with all states of an utterance's usual path equally long.

    States that are known are taken as they are.
    """
    pairs = [(one, align_equally(one.path, len(one.cepstra)) if one.known is None else one.known) for one in chunk]
    found = [(with_deltas(one.cepstra), labels) for one, labels in pairs if labels is not None]
    if not found:
        return no_moments(num_states, 1, 3 * CEPSTRA)
    frames, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return single_moments(frames, labels, num_states)


def moments(chunk: Sequence[Transcribed], model: FlatModel) -> tuple[Fit, SufficientStatistics]:
    """Fit of `model` to a chunk, and the moments of its components there."""
    fit, aligned = align_chunk(chunk, model)
    if not aligned:
        return fit, no_moments(*model.mixtures.means.shape)
    frames = np.concatenate([one.frames for one in aligned.values()])
    return fit, model.mixtures.moments(frames, np.concatenate([one.labels for one in aligned.values()]))


def scatter(chunk: Sequence[Transcribed], model: FlatModel) -> tuple[Fit, Scatter]:
    """Fit of `model` to a chunk, and the scatter of its spliced cepstra by state."""
    fit, aligned = align_chunk(chunk, model)
    if not aligned:
        return fit, no_scatter(model.num_states, SPLICED)
    frames = np.concatenate([spliced(chunk[place].cepstra) for place in aligned])
    return fit, class_scatter(frames, np.concatenate([one.labels for one in aligned.values()]), model.num_states)


def align_chunk(chunk: Sequence[Transcribed], model: FlatModel) -> tuple[Fit, dict[int, Aligned]]:
    """Fit of `model` to a chunk, and its utterances that could be aligned, by their place in it."""
    fit, aligned = Fit(), {}
    for place, utterance in enumerate(chunk):
        found = model.align(utterance)
        if found is None:
            fit += Fit(failed=1)
        else:
            fit += Fit(found.log_likelihood, len(found.labels))
            aligned[place] = found
    return fit, aligned


def kept_inputs(uri: str) -> dict[str, str] | None:
    """What the arrays at `uri` were made from; None where there are none, or a damaged file: they are made again."""
    if not filesystem.exists(uri):
        return None
    data = filesystem.read_bytes(uri)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if any(arrays[name] is None for name in arrays.files):  # reads all of them
                return None
            return dict(json.loads(str(arrays["inputs"])))
    except (BadZipFile, EOFError, KeyError, OSError, ValueError, zlib.error):
        return None


def write_model(uri: str, model: FlatModel, curve: Sequence[float], inputs: Inputs) -> None:
    """Keep a finished model with its log-likelihood a frame by iteration and what it was made from."""
    assert model.transform is not None, "finished models have LDA"
    buffer = io.BytesIO()
    mixtures = model.mixtures
    np.savez_compressed(
        buffer,
        inputs=np.array(json.dumps(dict(inputs), sort_keys=True)),
        curve=np.array(curve),
        transform=model.transform,
        weights=mixtures.weights,
        means=mixtures.means,
        variances=mixtures.variances,
    )
    filesystem.write_bytes(uri, buffer.getvalue())


def read_model(uri: str, inputs: Inputs) -> tuple[FlatModel, list[float]] | None:
    """The model kept at `uri` and its curve; None if there is none, or if it was made from something else."""
    if kept_inputs(uri) != inputs:
        return None
    with np.load(io.BytesIO(filesystem.read_bytes(uri)), allow_pickle=False) as arrays:
        mixtures = Mixtures(arrays["weights"], arrays["means"], arrays["variances"])
        return FlatModel(mixtures, arrays["transform"]), arrays["curve"].tolist()
