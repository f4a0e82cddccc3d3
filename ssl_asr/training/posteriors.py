"""How many frames a trained model gives to each senone: what decoding takes for priors after sequence training.

Sequence training moves posteriors away from the shares of the alignments. So Kaldi's recipes estimate priors anew,
from the model's own posteriors over the training speech.
"""

from __future__ import annotations

import numpy as np
import torch

from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.training.data.batches import collated
from ssl_asr.training.data.sources import Source
from ssl_asr.training.loop import Loop
from ssl_asr.training.objectives.frames import valid_logits
from ssl_asr.training.sync import flat
from ssl_asr.training.sync.group import sum_numbers


@torch.no_grad()
def posterior_counts(loop: Loop, source: Source) -> list[float]:
    """The sum of the global model's posteriors over the frames of a source, [senones], divided among the workers.

    It leaves the global model in `loop.model`.
    """
    model, worker, course = loop.model, loop.worker, loop.course
    assert isinstance(model, AcousticModel), "a model with senones"
    flat.unflatten_into(loop.strategy.global_model(), loop.learned.parameters())
    model.eval()
    sums = torch.zeros(model.spec.outputs, dtype=torch.float64, device=worker.device)
    look_ahead = model.encoder.look_ahead
    for place in range(worker.rank, len(source), worker.size):
        examples = course.reader.read(source.name, source.slab(place), 0)
        pieces = course.batches(examples, True, np.random.default_rng(0))
        for batch in collated(pieces, look_ahead):
            sums += valid_logits(model, batch.to(worker.device)).softmax(1).double().sum(0)
    return [round(count, 3) for count in sum_numbers(worker.group, sums.tolist(), worker.device)]
