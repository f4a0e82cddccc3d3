from itertools import pairwise

import numpy as np
import pytest
import torch

from ssl_asr.sequence.batches import concatenate
from ssl_asr.sequence.smbr import expected_accuracy
from tests.sequence.random_lattices import SENONES, paths, random_lattice

KAPPA = 0.4
PRIORS = np.log(np.random.default_rng(0).dirichlet(np.ones(SENONES)))
LATTICES = [random_lattice(seed, frames).with_priors(PRIORS, KAPPA) for seed, frames in enumerate((4, 6, 3))]
PLAIN = [random_lattice(seed, frames) for seed, frames in enumerate((4, 6, 3))]
FRAMES = sum(each.num_frames for each in LATTICES)


def _inputs():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(FRAMES, SENONES, generator=generator, dtype=torch.float64)
    references = torch.randint(SENONES, (FRAMES,), generator=generator)
    return logits, references


def test_it_is_the_mean_number_of_right_frames_over_all_paths():
    logits, references = _inputs()
    found = expected_accuracy(logits, references, concatenate(LATTICES), kappa=KAPPA)
    scores = KAPPA * (torch.log_softmax(logits, 1).numpy() - PRIORS)
    row = 0
    for number, lattice in enumerate(PLAIN):
        here = slice(row, row := row + lattice.num_frames)
        arc_scores = lattice.scores(scores[here])
        each = list(paths(lattice))
        logs = np.array([arc_scores[path].sum() - cost for path, cost in each])
        right = [(lattice.arcs.senones[path] == references[here].numpy()).sum() for path, _ in each]
        shares = np.exp(logs - np.logaddexp.reduce(logs))
        assert found.accuracies[number].item() == pytest.approx(shares @ right, abs=1e-5)


def test_the_gradient_is_that_of_finite_differences_through_the_softmax():
    """Of the log-likelihood ratios, so the hand-made gradient before the softmax must be the whole of it."""
    logits, references = _inputs()
    batch = concatenate(LATTICES)
    of_utterances = torch.tensor([0.5, -2.0, 1.0], dtype=torch.float64)

    def risk(values):
        posteriors = torch.log_softmax(values, 1)
        found = expected_accuracy(posteriors, references, batch, kappa=KAPPA)
        return found.accuracies @ of_utterances

    logits.requires_grad_()
    found = expected_accuracy(logits, references, batch, kappa=KAPPA)
    (found.accuracies @ of_utterances).backward()
    step = 1e-5
    with torch.no_grad():
        for row in range(FRAMES):
            for senone in range(SENONES):
                move = torch.zeros_like(logits)
                move[row, senone] = step
                numeric = (risk(logits + move) - risk(logits - move)) / (2 * step)
                assert logits.grad[row, senone].item() == pytest.approx(numeric.item(), abs=1e-6)
    np.testing.assert_allclose(logits.grad.sum(1), 0, atol=1e-12)


def test_silence_is_right_where_the_reference_is_silent():
    lattice = random_lattice(3, frames=4, width=1, arcs=1)
    lattice.arcs.senones[:] = [0, 2, 0, 0]
    found = expected_accuracy(
        torch.zeros(4, SENONES),
        torch.tensor([0, 2, 1, 0]),
        concatenate([lattice]),
        kappa=KAPPA,
    )
    assert found.accuracies.tolist() == [3]


def test_gradient_steps_on_the_logits_raise_the_expected_accuracy():
    logits, references = _inputs()
    batch, seen = concatenate(LATTICES), []
    logits.requires_grad_()
    for _ in range(60):
        found = expected_accuracy(logits, references, batch, kappa=KAPPA)
        seen.append(found.accuracies.sum().item())
        logits.grad = None
        (-found.accuracies.sum()).backward()
        with torch.no_grad():
            logits -= logits.grad
    assert all(later > earlier for earlier, later in pairwise(seen))
    assert seen[-1] > seen[0] + 0.5


def test_gradients_keep_the_precision_of_the_network():
    logits, references = _inputs()
    batch, half = concatenate(LATTICES), logits.bfloat16().requires_grad_()
    expected_accuracy(half, references, batch, kappa=KAPPA).accuracies.sum().backward()
    assert half.grad.dtype == torch.bfloat16
