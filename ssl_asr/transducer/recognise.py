"""Whole utterances through a transducer: the best texts of each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from ssl_asr.recipe.predictor import TransducerSearch
from ssl_asr.transducer.beam import BeamSearch, LabelScores
from ssl_asr.transducer.greedy import GreedySearch
from ssl_asr.transducer.hypothesis import Hypothesis
from ssl_asr.transducer.model import TransducerModel
from ssl_asr.transducer.model_steps import ModelSteps


@torch.inference_mode()
def recognise(
    model: TransducerModel,
    utterances: Sequence[torch.Tensor],
    settings: TransducerSearch,
    label_scores: LabelScores | None = None,
) -> list[list[Hypothesis]]:
    """Of each utterance [frames >= 1, inputs], as one padded batch, at most `settings.beam` hypotheses, best first.

    A beam of 1 without `label_scores` is the greedy search, of all utterances at once.
    """
    lengths_b = torch.tensor([len(frames) for frames in utterances])
    batch = pad_sequence(list(utterances), batch_first=True).to(model.mean.device)
    encoded_bte = model.encode_whole(batch, lengths_b)
    if settings.beam == 1 and label_scores is None:
        greedy = GreedySearch(model, len(utterances), settings.max_symbols)
        greedy.accept(encoded_bte, lengths_b)
        return [[each] for each in greedy.hypotheses()]
    found, steps = [], ModelSteps(model)
    for encoded_te, length in zip(encoded_bte, lengths_b.tolist(), strict=True):
        search = BeamSearch(steps, settings, label_scores)
        search.accept(steps.project(encoded_te[:length]))
        found.append(search.hypotheses())
    return found
