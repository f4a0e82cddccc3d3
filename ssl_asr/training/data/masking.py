"""SpecAugment on normalised, stacked frames: bands of mel bins and segments of time set to the mean, which is 0.

Park et al. 2019, without the time warping, which they found to matter least. A band is masked in all three stacked
10 ms frames. Widths are uniform from 0 to the widest, places uniform over the row's own frames; a time mask is at
most a share of these. Published, in bins of 80 and frames of 10 ms: policy LD has two bands up to 27 wide and two
segments up to 100 long, SM two up to 15 and two up to 70, each at most a fifth of the utterance.
"""

from __future__ import annotations

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.recipe import Augmentation


def mask(frames_btd: torch.Tensor, lengths_b: torch.Tensor, settings: Augmentation) -> torch.Tensor:
    """The frames with random bands set to 0; uses torch's global random generator. `lengths_b` lies on the CPU."""
    if settings.frequency_masks == settings.time_masks == 0:
        return frames_btd
    batch, time, width = frames_btd.shape
    bins_b = torch.full((batch,), width // STACK)
    widest_b = (settings.time_mask_share * lengths_b).long().clamp(max=settings.time_mask_frames)
    kept_bm = torch.ones(batch, width // STACK, dtype=torch.bool)
    kept_bt = torch.ones(batch, time, dtype=torch.bool)
    for _ in range(settings.frequency_masks):
        kept_bm &= ~_bands(bins_b, bins_b.clamp(max=settings.frequency_mask_bins), width // STACK)
    for _ in range(settings.time_masks):
        kept_bt &= ~_bands(lengths_b, widest_b, time)
    kept_btd = kept_bt[:, :, None] & kept_bm.repeat(1, STACK)[:, None, :]
    return frames_btd * kept_btd.to(frames_btd.device)


def _bands(sizes_b: torch.Tensor, widest_b: torch.Tensor, size: int) -> torch.Tensor:
    """One band a row, of random width 0..widest at a random place within the row's size; bool [batch, size]."""
    widths_b = _up_to(widest_b)
    begins_b = _up_to(sizes_b - widths_b)
    places = torch.arange(size)[None, :]
    return (places >= begins_b[:, None]) & (places < (begins_b + widths_b)[:, None])


def _up_to(most_b: torch.Tensor) -> torch.Tensor:
    """A uniform random integer 0..most for each row."""
    # In double precision: in single, a draw near 1 times a large number rounds up to it.
    return (torch.rand(len(most_b), dtype=torch.float64) * (most_b + 1)).long()
