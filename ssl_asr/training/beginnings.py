"""What a training begins with besides random weights: another model's, whole or in part."""

from __future__ import annotations

from dataclasses import replace

import torch

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.models.cohort_input import widened
from ssl_asr.models.model_files import load_model
from ssl_asr.models.normalised import NormalisedEncoder
from ssl_asr.recipe import may_begin_as
from ssl_asr.recipe.predictor import same_predictor
from ssl_asr.store import filesystem
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_files import load_transducer

# Of a transducer's weights those with a row for each word piece.
_OF_PIECES = ("predictor.embedding.weight", "joiner.output.weight", "joiner.output.bias")


def begin_with(model: NormalisedEncoder, uri: str) -> None:
    """All weights; ValueError where the file's is another network. It may lack the cohorts of `model`."""
    start, _ = load_model(uri)
    cohorts = model.spec.cohorts if isinstance(model, AcousticModel) and start.spec.cohorts is None else None
    if replace(start.spec, cohorts=cohorts or start.spec.cohorts) != model.spec:
        raise ValueError(f"{uri} is another network than the recipe's; delete it and train it again")
    weights = start.state_dict()
    if cohorts is not None:
        weights = widened(weights, model.state_dict(), cohorts.dimensions)
    model.load_state_dict(weights)


def encode_as(model: NormalisedEncoder, uri: str, rng: torch.Generator) -> None:
    """The encoder of an acoustic model; ValueError where it has another. `rng` as of `Encoder.begin_as`."""
    start, _ = load_model(uri)
    _encode_as(model, start, uri, rng)


def transduce_as(model: TransducerModel, word_pieces: str, uri: str, rng: torch.Generator) -> None:
    """The weights of the transducer at `uri`; ValueError where it has another encoder, predictor or joiner.

    `word_pieces` is the file of the model's own. Those that the other has not keep their random weights.
    """
    start, its, _ = load_transducer(uri)
    _encode_as(model, start, uri, rng)
    if start.spec.joiner != model.spec.joiner or not same_predictor(start.spec.predictor, model.spec.predictor):
        raise ValueError(f"{uri} has another predictor or joiner than the transducer that begins with it")
    mine = WordPieces(filesystem.read_bytes(word_pieces), word_pieces)
    known = {piece: row for row, piece in enumerate(its.pieces)}
    rows = torch.tensor([[row, known[piece]] for row, piece in enumerate(mine.pieces) if piece in known])
    weights = model.state_dict()
    for name, tensor in start.state_dict().items():
        if name in _OF_PIECES:
            weights[name] = weights[name].index_copy(0, rows[:, 0], tensor[rows[:, 1]])
        elif name.startswith(("predictor.", "joiner.")):
            weights[name] = tensor
    model.load_state_dict(weights)


def _encode_as(model: NormalisedEncoder, start: NormalisedEncoder, uri: str, rng: torch.Generator) -> None:
    fits = may_begin_as(model.encoder.section, start.encoder.section)
    if not fits or start.mean.shape != model.mean.shape:
        raise ValueError(
            f"{uri} has another encoder than the network that begins with it; give both the same network"
        )
    model.encoder.begin_as(start.encoder, rng)
