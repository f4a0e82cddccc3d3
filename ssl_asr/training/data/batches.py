"""Examples to padded batches: random chunks, or whole utterances, of similar length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ssl_asr.models.cohort_input import UNKNOWN
from ssl_asr.recipe import Batching
from ssl_asr.training.data.examples import Example


@dataclass(frozen=True)
class Piece:
    """A part of an utterance: `count` targets from `begin` on, of which the outputs lag inputs by the look-ahead."""

    example: Example
    begin: int
    count: int

    @property
    def span(self) -> slice:
        return slice(self.begin, self.begin + self.count)


@dataclass(frozen=True)
class Batch:
    """frames [B, T, D] float32; `valid` [B, T] marks outputs that have a target; targets are those n outputs' own.

    `senones` is int64 [n, k], `posteriors` float32 [n, k] or None where labels are hard (k = 1). `lengths` [B] stays
    on the CPU. `weights` float32 [n] are the targets' weights, None where all are 1, and `weight` is their sum.
    `cohorts` int64 [B] numbers the speakers' cohorts, None where all are unknown.
    `pieces` say whose rows these are: id, speaker, condition, tags and text.
    """

    frames: torch.Tensor
    lengths: torch.Tensor
    valid: torch.Tensor
    senones: torch.Tensor
    posteriors: torch.Tensor | None
    weights: torch.Tensor | None
    weight: float
    pieces: Sequence[Piece]
    cohorts: torch.Tensor | None = None

    @property
    def ids(self) -> list[str]:
        return [piece.example.id for piece in self.pieces]

    @property
    def speakers(self) -> list[str]:
        return [piece.example.speaker for piece in self.pieces]

    @property
    def conditions(self) -> list[str]:
        return [piece.example.condition for piece in self.pieces]

    @property
    def tags(self) -> list[Mapping[str, str]]:
        return [piece.example.tags for piece in self.pieces]

    @property
    def texts(self) -> list[str | None]:
        return [piece.example.text for piece in self.pieces]

    def to(self, device: torch.device) -> Batch:
        return replace(
            self,
            frames=self.frames.to(device),
            valid=self.valid.to(device),
            senones=self.senones.to(device),
            posteriors=None if self.posteriors is None else self.posteriors.to(device),
            weights=None if self.weights is None else self.weights.to(device),
            cohorts=None if self.cohorts is None else self.cohorts.to(device),
        )


def cut(examples: Sequence[Example], longest: int | None) -> list[Piece]:
    """Cut every utterance into the fewest pieces of at most `longest` targets, as even as can be; None: no cut."""
    pieces = []
    for example in examples:
        length = len(example.targets.senones)
        parts = -(-length // longest) if longest else 1
        ends = [length * part // parts for part in range(parts + 1)]
        pieces += [Piece(example, begin, end - begin) for begin, end in itertools.pairwise(ends)]
    return pieces


def chunk_batches(
    examples: Sequence[Example], batching: Batching, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    """Chunks of at most `chunk_frames` inputs, drawn from all examples (Parthasarathi et al. 2019: 32 frames).

    Chunks overlap by the look-ahead: each target is predicted once, by a chunk that includes its own frame.
    """
    pieces = cut(examples, batching.chunk_frames - look_ahead)
    return _of_like_length(pieces, batching.batch_chunks * batching.chunk_frames, look_ahead, rng)


def whole_batches(
    examples: Sequence[Example], batching: Batching, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    """Whole utterances, at most `batch_frames` a batch with padding."""
    return _of_like_length(cut(examples, None), batching.batch_frames, look_ahead, rng)


def _of_like_length(
    pieces: Sequence[Piece], batch_frames: int, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    """Random batches of pieces of similar length, at most `batch_frames` inputs with padding, in random order.

    Of random lengths, a third of a batch of chunks would be padding: an utterance is seldom a multiple of a chunk.
    """
    order = rng.permutation(len(pieces))
    batches: list[list[Piece]] = []
    for piece in sorted((pieces[index] for index in order), key=lambda piece: piece.count):
        longest = piece.count + look_ahead
        if not batches or (len(batches[-1]) + 1) * longest > batch_frames:
            batches.append([])
        batches[-1].append(piece)
    return [batches[index] for index in rng.permutation(len(batches))]


def batches_of(
    examples: Sequence[Example], whole: bool, batching: Batching, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    return (whole_batches if whole else chunk_batches)(examples, batching, look_ahead, rng)


def frame_weight(pieces: Sequence[Piece]) -> float:
    """The sum of the targets' weights: their number, where all examples weigh 1."""
    return float(sum(piece.count * piece.example.weight for piece in pieces))


def collate(pieces: Sequence[Piece], look_ahead: int) -> Batch:
    """Pad the pieces into one batch; inputs past an utterance's end repeat its last frame for the look-ahead."""
    lengths = torch.tensor([piece.count + look_ahead for piece in pieces])
    width = pieces[0].example.frames.shape[1]
    frames = np.zeros((len(pieces), int(lengths.max()), width), np.float32)
    valid = torch.zeros(len(pieces), int(lengths.max()), dtype=torch.bool)
    for row, piece in enumerate(pieces):
        inputs = piece.example.frames[piece.begin : piece.begin + piece.count + look_ahead]
        frames[row, : len(inputs)] = inputs
        frames[row, len(inputs) : piece.count + look_ahead] = inputs[-1]
        valid[row, look_ahead : look_ahead + piece.count] = True
    targets = [piece.example.targets for piece in pieces]
    senones = np.concatenate([each.senones[piece.span] for each, piece in zip(targets, pieces, strict=True)])
    soft = [
        each.posteriors[piece.span]
        for each, piece in zip(targets, pieces, strict=True)
        if each.posteriors is not None
    ]
    return Batch(
        torch.from_numpy(frames),
        lengths,
        valid,
        torch.from_numpy(senones.astype(np.int64)),
        torch.from_numpy(np.concatenate(soft)) if soft else None,
        _weights(pieces),
        frame_weight(pieces),
        pieces,
        _cohorts(pieces),
    )


def _cohorts(pieces: Sequence[Piece]) -> torch.Tensor | None:
    found = [piece.example.cohort for piece in pieces]
    return None if all(each == UNKNOWN for each in found) else torch.tensor(found)


def _weights(pieces: Sequence[Piece]) -> torch.Tensor | None:
    if all(piece.example.weight == 1 for piece in pieces):
        return None
    each = np.array([piece.example.weight for piece in pieces], np.float32)
    return torch.from_numpy(np.repeat(each, [piece.count for piece in pieces]))


def collated(batches: Sequence[Sequence[Piece]], look_ahead: int) -> Iterator[Batch]:
    return (collate(pieces, look_ahead) for pieces in batches)
