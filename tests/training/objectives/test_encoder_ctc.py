"""CTC of the encoder alone against all sequences of labels and blanks, one by one."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from ssl_asr.training.objectives.encoder_ctc import encoder_ctc
from ssl_asr.transducer.joiner import Joiner

OUTPUTS, WIDTH = 3, 4


@pytest.fixture
def joiner() -> Joiner:
    torch.manual_seed(0)
    return Joiner(WIDTH, 5, 6, OUTPUTS)


def by_trying_all(joiner: Joiner, encoded_te: torch.Tensor, labels: tuple[int, ...]) -> float:
    silent = torch.zeros(1, 1, 5)
    logs_tv = joiner(encoded_te[None], silent)[0, :, 0].log_softmax(-1).tolist()
    total = 0.0
    for path in itertools.product(range(OUTPUTS), repeat=len(logs_tv)):
        said = tuple(label for label, _ in itertools.groupby(path) if label)
        if said == labels:
            total += math.exp(sum(row[label] for row, label in zip(logs_tv, path, strict=True)))
    return -math.log(total)


def test_it_sums_over_all_alignments_of_each_text(joiner: Joiner) -> None:
    texts, lengths = [(1, 2), (2, 2), (), (1,)], [4, 5, 2, 1]
    encoded_bte = torch.randn(4, 5, WIDTH)
    labels_bu = torch.tensor([[1, 2], [2, 2], [0, 0], [1, 0]])
    counts = torch.tensor([len(text) for text in texts])
    found = encoder_ctc(joiner, encoded_bte, labels_bu, torch.tensor(lengths), counts)
    wanted = [
        by_trying_all(joiner, encoded_te[:length], text)
        for encoded_te, length, text in zip(encoded_bte, lengths, texts, strict=True)
    ]
    assert found.tolist() == pytest.approx(wanted, rel=1e-4)


def test_too_few_frames_cost_nothing_and_half_precision_is_summed_in_full(joiner: Joiner) -> None:
    encoded_bte = torch.randn(1, 3, WIDTH, requires_grad=True)
    labels, count = torch.tensor([[1, 1, 2]]), torch.tensor([3])  # equal labels need a blank between them
    loss_b = encoder_ctc(joiner, encoded_bte, labels, torch.tensor([3]), count)
    assert loss_b.tolist() == [0.0]
    loss_b.sum().backward()
    assert encoded_bte.grad is not None
    assert not encoded_bte.grad.any()
    half = encoder_ctc(joiner.bfloat16(), encoded_bte.bfloat16(), labels[:, :2], torch.tensor([3]), count - 1)
    assert half.dtype == torch.float32
