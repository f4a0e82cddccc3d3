"""Examples to padded batches: shuffled chunks of fixed length, or whole utterances of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ssl_asr.recipe import Optimiser
from ssl_asr.training.data.examples import Example


@dataclass(frozen=True)
class Batch:
    """frames [B, T, D] float32; `valid` [B, T] marks outputs that have a target; targets are those n outputs' own.

    `senones` is int64 [n, k], `posteriors` float32 [n, k] or None where labels are hard (k = 1). `lengths` [B]
    on the CPU.
    """

    frames: torch.Tensor
    lengths: torch.Tensor
    valid: torch.Tensor
    senones: torch.Tensor
    posteriors: torch.Tensor | None

    def to(self, device: torch.device) -> Batch:
        posteriors = None if self.posteriors is None else self.posteriors.to(device)
        moved = (tensor.to(device) for tensor in (self.frames, self.valid, self.senones))
        frames, valid, senones = moved
        return Batch(frames, self.lengths, valid, senones, posteriors)


@dataclass(frozen=True)
class Piece:
    """A stretch of an utterance: inputs and targets of equal count, outputs lagging inputs by the look-ahead."""

    example: Example
    begin: int
    targets: int


def cut(examples: Sequence[Example], targets: int | None) -> list[Piece]:
    """Cut every utterance into pieces of at most `targets` targets; None keeps it whole."""
    pieces = []
    for example in examples:
        length = len(example.senones)
        step = targets or length
        pieces += [Piece(example, begin, min(step, length - begin)) for begin in range(0, length, step)]
    return pieces


def chunk_batches(
    examples: Sequence[Example], optimiser: Optimiser, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    """Chunks of `chunk_frames` inputs, shuffled over all examples (Parthasarathi et al. 2019: 32 frames).

    Chunks overlap by the look-ahead: each target is predicted once, by a chunk that has seen its own frame.
    """
    pieces = cut(examples, optimiser.chunk_frames - look_ahead)
    order = rng.permutation(len(pieces))
    size = optimiser.batch_chunks
    return [[pieces[index] for index in order[begin : begin + size]] for begin in range(0, len(order), size)]


def whole_batches(
    examples: Sequence[Example], optimiser: Optimiser, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    """Whole utterances of like length, at most `batch_frames` a batch with padding, batches shuffled."""
    pieces = sorted(cut(examples, None), key=lambda piece: piece.targets)
    batches: list[list[Piece]] = []
    for piece in pieces:
        longest = piece.targets + look_ahead
        if not batches or (len(batches[-1]) + 1) * longest > optimiser.batch_frames:
            batches.append([])
        batches[-1].append(piece)
    return [batches[index] for index in rng.permutation(len(batches))]


def collate(pieces: Sequence[Piece], look_ahead: int) -> Batch:
    """Pad the pieces into one batch; inputs past an utterance's end repeat its last frame for the look-ahead."""
    lengths = torch.tensor([piece.targets + look_ahead for piece in pieces])
    width = pieces[0].example.frames.shape[1]
    frames = np.zeros((len(pieces), int(lengths.max()), width), np.float32)
    valid = torch.zeros(len(pieces), int(lengths.max()), dtype=torch.bool)
    for row, piece in enumerate(pieces):
        inputs = piece.example.frames[piece.begin : piece.begin + piece.targets + look_ahead]
        frames[row, : len(inputs)] = inputs
        frames[row, len(inputs) : piece.targets + look_ahead] = inputs[-1]
        valid[row, look_ahead : look_ahead + piece.targets] = True
    senones = np.concatenate([piece.example.senones[_span(piece)] for piece in pieces]).astype(np.int64)
    soft = [piece.example.posteriors[_span(piece)] for piece in pieces if piece.example.posteriors is not None]
    posteriors = torch.from_numpy(np.concatenate(soft)) if soft else None
    return Batch(torch.from_numpy(frames), lengths, valid, torch.from_numpy(senones), posteriors)


def _span(piece: Piece) -> slice:
    return slice(piece.begin, piece.begin + piece.targets)


def batches_of(
    examples: Sequence[Example], whole: bool, optimiser: Optimiser, look_ahead: int, rng: np.random.Generator
) -> list[list[Piece]]:
    return (whole_batches if whole else chunk_batches)(examples, optimiser, look_ahead, rng)


def collated(batches: Sequence[Sequence[Piece]], look_ahead: int) -> Iterator[Batch]:
    return (collate(pieces, look_ahead) for pieces in batches)
