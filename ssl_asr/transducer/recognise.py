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
    return _searched(model, model.encode_whole(batch, lengths_b), lengths_b, settings, label_scores)


@torch.inference_mode()
def recognise_channels(
    model: TransducerModel, conversations: Sequence[torch.Tensor], settings: TransducerSearch
) -> list[list[Hypothesis]]:
    """Of each conversation [frames >= 1, inputs], as one padded batch, the best hypothesis of each output channel.

    The model's encoder is a separator. Each channel is searched by itself.
    """
    lengths_b = torch.tensor([len(frames) for frames in conversations])
    batch = pad_sequence(list(conversations), batch_first=True).to(model.mean.device)
    encoded_nbte = model.encode_whole(batch, lengths_b)
    found = [[best for best, *_ in _searched(model, each, lengths_b, settings)] for each in encoded_nbte]
    return [list(channels) for channels in zip(*found, strict=True)]


def _searched(
    model: TransducerModel,
    encoded_bte: torch.Tensor,
    lengths_b: torch.Tensor,
    settings: TransducerSearch,
    label_scores: LabelScores | None = None,
) -> list[list[Hypothesis]]:
    """As `recognise`, of encoder outputs."""
    if settings.beam == 1 and label_scores is None:
        greedy = GreedySearch(model, len(encoded_bte), settings.max_symbols)
        greedy.accept(encoded_bte, lengths_b)
        return [[each] for each in greedy.hypotheses()]
    found, steps = [], ModelSteps(model)
    for encoded_te, length in zip(encoded_bte, lengths_b.tolist(), strict=True):
        search = BeamSearch(steps, settings, label_scores)
        search.accept(steps.project(encoded_te[:length]))
        found.append(search.hypotheses())
    return found
