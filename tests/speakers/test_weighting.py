"""Weightings behind one seam: all 1, by true groups, by an adversary."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.speakers.weighting import Adversarial, GroupDro, Seen, Uniform


def seen(losses, groups, embeddings=None) -> Seen:
    vectors = torch.zeros(len(losses), 2) if embeddings is None else torch.tensor(embeddings)
    return Seen(vectors, torch.tensor(losses), torch.tensor(groups))


def test_plain_training_weighs_all_the_same():
    assert Uniform()(seen([1.0, 5.0], [0, 1])).tolist() == [1, 1]


def test_group_dro_is_the_sum_of_shares_times_mean_losses():
    weighting = GroupDro(3, rate=0.5)
    losses, groups = [1.0, 3.0, 4.0, 9.0], [0, 0, 1, -1]
    weights = weighting(seen(losses, groups))
    grown = torch.exp(0.5 * torch.tensor([2.0, 4.0, 0.0])) / 3
    shares = grown / grown.sum()
    assert torch.allclose(weighting.shares, shares)
    mean = float((weights * torch.tensor(losses)).mean())
    assert mean == pytest.approx(float((shares[0] * 2 + shares[1] * 4) / (shares[0] + shares[1])))
    assert float(weights[3]) == 0


def test_the_harder_group_ends_with_nearly_all_the_share():
    weighting = GroupDro(2, rate=0.1)
    for _ in range(100):
        weighting(seen([1.0, 2.0], [0, 1]))
    assert float(weighting.shares[1]) > 0.99


def test_utterances_of_a_region_share_their_weight():
    torch.manual_seed(0)
    weighting = Adversarial(2, 2, knows_embeddings=False, pairs=False)
    weighting.set_centres(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    embeddings = [[1.0, 0.1], [0.9, 0.0], [0.1, 1.0], [0.0, 0.8]]
    weights = weighting(seen([1.0] * 4, [0] * 4, embeddings))
    assert weights[0] == weights[1]
    assert weights[2] == weights[3]
    assert weights[0] != weights[2]


@pytest.mark.parametrize(("clusters", "knows"), [(0, True), (2, True), (2, False)])
def test_an_adversary_is_restored_from_its_state(clusters, knows):
    torch.manual_seed(2)
    first, second = (Adversarial(2, clusters, knows_embeddings=knows, pairs=True) for _ in range(2))
    first.set_centres(torch.randn(clusters, 2))
    second.load_state_dict(first.state_dict())
    found = seen([1.0, 2.0], [0, 0], [[0.3, 0.4], [-0.2, 0.9]])
    assert torch.equal(first(found), second(found))


def test_a_group_in_few_batches_gains_weight_by_its_loss_alone():
    def share_of_rare(loss: float) -> float:
        generator = torch.Generator().manual_seed(1)
        talkers = torch.tensor([0] * 48 + [1] * 61 + [2])
        weighting = GroupDro(3)
        for _ in range(450):
            groups = talkers[torch.randperm(len(talkers), generator=generator)[:16]]
            losses = torch.where(groups == 2, loss, 1.5)
            weights = weighting(Seen(torch.zeros(16, 1), losses, groups))
            assert float(weights.mean()) == pytest.approx(1, abs=1e-4)
        return float(weighting.shares[2])

    assert share_of_rare(3.0) > 0.9
    assert 0.2 < share_of_rare(1.5) < 0.5
