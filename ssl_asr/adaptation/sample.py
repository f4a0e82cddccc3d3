"""Finds out which weights of a run's model matter, from a sample of the speech that it was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from ssl_asr.adaptation.fisher import diagonal_fisher
from ssl_asr.models.model_files import MADE_FROM, load_model
from ssl_asr.store import filesystem
from ssl_asr.store.weights import read_description, write_weights
from ssl_asr.training.data.examples import Reader
from ssl_asr.training.data.sources import Source, seed_of


def make_fisher(
    uri: str, model: str, inputs: Mapping[str, str], speech: tuple[Reader, Sequence[Source]], sample: tuple[int, int]
) -> None:
    """Publish at `uri` the Fisher information of the model at the URI `model`; it is made from `inputs`.

    `sample` is the number of utterances and a seed. What is there already stays.
    """
    if filesystem.exists(uri) and read_description(uri).get(MADE_FROM) == dict(inputs):
        return
    torch.set_num_threads(1)  # sums are the same everywhere
    size, seed = sample
    found = diagonal_fisher(load_model(model)[0], sampled(*speech, size, seed), seed)
    write_weights(uri, found, {MADE_FROM: dict(inputs)})


def sampled(reader: Reader, sources: Sequence[Source], size: int, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Ids and frames of at most `size` utterances, from slabs of all sources in a random order.

    All slabs give as many, as a slab has few speakers: of few slabs, the sample would be of few speakers.
    """
    places = [(source, place) for source in sources for place in range(len(source))]
    random = np.random.default_rng(seed_of(seed, "fisher sample"))
    left = size
    for read, index in enumerate(random.permutation(len(places))):
        source, place = places[index]
        examples = reader.read(source.name, source.slab(place), 0)
        most = math.ceil(left / (len(places) - read))
        for number in random.permutation(len(examples))[:most]:
            yield examples[number].id, torch.from_numpy(examples[number].frames)
            left -= 1
        if not left:
            return
