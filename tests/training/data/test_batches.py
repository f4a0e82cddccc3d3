"""Chunks and whole utterances: every target once, look-ahead delay right, padding never counted."""

import numpy as np
import pytest
import torch

from ssl_asr.recipe import Augmentation, Batching
from ssl_asr.training.data.batches import batches_of, collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.data.masking import mask

SETTINGS = Batching(batch_chunks=4, chunk_frames=32, batch_frames=300)


def example(length: int, mark: int) -> Example:
    """Frame t holds (mark, t) and its label is t, so that a batch shows which input each target is paired with."""
    frames = np.zeros((length, 6), np.float16)
    frames[:, 0], frames[:, 1] = mark, np.arange(length)
    return Example(frames, FrameTargets(np.arange(length, dtype=np.uint16)[:, None]), id=str(mark))


EXAMPLES = [example(length, mark) for mark, length in enumerate([5, 32, 61, 200, 29, 1])]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("look_ahead", [0, 3])
def test_every_target_once_and_paired_with_its_delayed_frame(whole: bool, look_ahead: int) -> None:
    seen = []
    for pieces in batches_of(EXAMPLES, whole, SETTINGS, look_ahead, np.random.default_rng(0)):
        batch = collate(pieces, look_ahead)
        rows, times = batch.valid.nonzero(as_tuple=True)
        own = batch.frames[rows, times - look_ahead]
        assert torch.equal(own[:, 1].long(), batch.senones[:, 0])
        seen += [tuple(pair) for pair in own[:, :2].long().tolist()]
        if not whole:
            assert batch.frames.shape[1] <= SETTINGS.chunk_frames
    wanted = [(mark, time) for mark, item in enumerate(EXAMPLES) for time in range(len(item.frames))]
    assert sorted(seen) == wanted


def test_same_seed_same_batches_and_shuffled() -> None:
    def order(seed: int) -> list[tuple[int, int]]:
        batches = batches_of(EXAMPLES, False, SETTINGS, 3, np.random.default_rng(seed))
        return [(id(piece.example), piece.begin) for pieces in batches for piece in pieces]

    assert order(1) == order(1)
    assert order(1) != order(2)


@pytest.mark.parametrize(("whole", "budget"), [(True, SETTINGS.batch_frames), (False, 4 * 32)])
def test_batches_keep_to_their_budget(whole: bool, budget: int) -> None:
    for pieces in batches_of(EXAMPLES, whole, SETTINGS, 3, np.random.default_rng(0)):
        assert len(pieces) == 1 or len(pieces) * max(piece.count + 3 for piece in pieces) <= budget


@pytest.mark.parametrize("whole", [False, True])
def test_little_of_a_batch_is_padding(whole: bool) -> None:
    lengths = np.random.default_rng(0).lognormal(np.log(70), 0.6, 300).astype(int) + 10
    batches = batches_of([example(length, 0) for length in lengths], whole, SETTINGS, 0, np.random.default_rng(0))
    computed = sum(len(pieces) * max(piece.count for piece in pieces) for pieces in batches)
    assert 1 - lengths.sum() / computed < 0.05


def test_chunks_of_an_utterance_are_even() -> None:
    assert [piece.count for piece in cut([example(59, 0)], 29)] == [19, 20, 20]
    assert [piece.count for piece in cut([example(58, 0), example(3, 1)], 29)] == [29, 29, 3]


def test_mask_hides_alike_bands_in_all_three_stacked_frames() -> None:
    torch.manual_seed(0)
    settings = Augmentation(frequency_masks=1, frequency_mask_bins=8, time_masks=1, time_mask_frames=4)
    masked = mask(torch.ones(50, 32, 192), torch.full((50,), 32), settings)
    thirds = masked.view(50, 32, 3, 64)
    assert torch.equal(thirds[:, :, 0], thirds[:, :, 1])
    assert torch.equal(thirds[:, :, 0], thirds[:, :, 2])
    hidden = 1 - masked.mean().item()
    assert 0.05 < hidden < 0.25
    assert (masked.sum(dim=(1, 2)) > 0).all()


def hidden_times(lengths: torch.Tensor, settings: Augmentation) -> torch.Tensor:
    """Bool [B, T]: frames that a mask hides, of rows of these lengths."""
    return mask(torch.ones(len(lengths), int(lengths.max()), 6), lengths, settings)[:, :, 0] == 0


def test_time_masks_lie_in_the_frames_of_their_row_and_are_at_most_a_share_of_them() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([30] * 2000 + [10] * 2000 + [2] * 2000)
    hidden = hidden_times(lengths, Augmentation(time_masks=1, time_mask_frames=6, time_mask_share=0.5))
    assert not hidden[torch.arange(30)[None, :] >= lengths[:, None]].any(), "none is spent on padding"
    widths = hidden.sum(dim=1)
    for length, widest in ((30, 6), (10, 5), (2, 1)):
        counts = torch.bincount(widths[lengths == length])
        assert len(counts) == widest + 1
        np.testing.assert_allclose(counts / counts.sum(), 1 / (widest + 1), atol=0.05)
    # All places alike: only the edges are in fewer masks.
    middle = hidden[lengths == 30].float().mean(dim=0)[6:24]
    assert middle.min() > 0.7 * middle.max()


def test_a_frequency_mask_may_be_any_band_up_to_its_width_and_all_bins_at_most() -> None:
    torch.manual_seed(0)
    frames, lengths = torch.ones(3000, 1, 3 * 8), torch.ones(3000).long()
    hidden = mask(frames, lengths, Augmentation(frequency_masks=1, frequency_mask_bins=3))[:, 0, :8] == 0
    bands = {tuple(row.nonzero()[:, 0].tolist()) for row in hidden}
    assert bands == {tuple(range(begin, begin + width)) for width in range(4) for begin in range(9 - width)}
    wide = mask(frames, lengths, Augmentation(frequency_masks=1, frequency_mask_bins=50))[:, 0, :8] == 0
    assert set(wide.sum(dim=1).tolist()) == set(range(9))


def test_several_masks_may_overlap_and_hide_no_more_than_their_sum() -> None:
    torch.manual_seed(0)
    lengths = torch.full((2000,), 40)
    one, two = (hidden_times(lengths, Augmentation(time_masks=count, time_mask_frames=8)) for count in (1, 2))
    assert one.float().mean() < two.float().mean() < 2 * one.float().mean() * 1.05
    assert two.sum(dim=1).max() <= 16
