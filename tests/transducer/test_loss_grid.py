import numpy as np
import pytest
import torch

from ssl_asr.transducer.loss_grid import forward_backward
from tests.transducer.grids import COUNTS, FRAMES, enumerated, log_probabilities


def test_all_values_are_those_of_the_alignments_one_by_one():
    blanks, labels, frames, counts = log_probabilities()
    found = forward_backward(blanks, labels, frames, counts)
    for row, (length, count) in enumerate(zip(FRAMES, COUNTS, strict=True)):
        total, blank_shares, label_shares = enumerated(blanks[row], labels[row], length, count)
        assert found.log_likelihoods_b[row].item() == pytest.approx(total, abs=1e-12)
        np.testing.assert_allclose(found.blanks_btu[row], blank_shares, atol=1e-12)
        np.testing.assert_allclose(found.labels_btu[row], label_shares, atol=1e-12)


def test_every_frame_has_one_blank_and_every_label_one_frame():
    frames, counts = [40, 7, 25], [12, 20, 0]
    found = forward_backward(*log_probabilities(1, frames, counts))
    for row, (length, count) in enumerate(zip(frames, counts, strict=True)):
        np.testing.assert_allclose(found.blanks_btu[row, :length].sum(1), 1, atol=1e-12)
        np.testing.assert_allclose(found.labels_btu[row, :, :count].sum(0), 1, atol=1e-12)
        assert not found.blanks_btu[row, length:].any()
        assert not found.labels_btu[row, :, count:].any()


def test_an_utterance_alone_has_the_same_values():
    blanks, labels, frames, counts = log_probabilities()
    together = forward_backward(blanks, labels, frames, counts)
    for row, (length, count) in enumerate(zip(FRAMES, COUNTS, strict=True)):
        here = (slice(row, row + 1), slice(length), slice(count + 1))
        alone = forward_backward(blanks[here], labels[here], frames[row : row + 1], counts[row : row + 1])
        assert torch.equal(alone.log_likelihoods_b[0], together.log_likelihoods_b[row])
        assert torch.equal(alone.blanks_btu[0], together.blanks_btu[here][0])
        assert torch.equal(alone.labels_btu[0], together.labels_btu[here][0])


def test_a_text_without_an_alignment_has_no_occupancies():
    blanks, labels, frames, counts = log_probabilities()
    labels[0, :, 1] = -torch.inf
    blanks[3, 2] = -torch.inf
    found = forward_backward(blanks, labels, frames, counts)
    assert torch.isneginf(found.log_likelihoods_b).tolist() == [True, False, False, True, False]
    for shares in (found.blanks_btu, found.labels_btu):
        assert shares.isfinite().all()
        assert not shares[0].any()
        assert not shares[3].any()
    assert found.blanks_btu[1].sum() == pytest.approx(1)


def test_improbable_texts_keep_their_precision():
    """All alignments are equally probable; their number is a binomial."""
    frames, count = 400, 60
    values = torch.full((1, frames, count + 1), -12.0)
    found = forward_backward(values, values, torch.tensor([frames]), torch.tensor([count]))
    factorials = torch.lgamma(torch.tensor([frames + count, count + 1, frames], dtype=torch.float64)).tolist()
    wanted = factorials[0] - factorials[1] - factorials[2] - 12.0 * (frames + count)
    assert found.log_likelihoods_b.item() == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(found.blanks_btu[0].sum(1), 1, atol=1e-9)
