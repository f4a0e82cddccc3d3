"""SpecAugment on normalised, stacked frames: bands of mel bins and segments of time set to the mean.

Park et al. 2019. A band is masked in all three stacked 10 ms frames.
"""

from __future__ import annotations

import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.recipe import Augmentation


def mask(frames_btd: torch.Tensor, settings: Augmentation) -> torch.Tensor:
    """The frames with random bands set to 0; uses torch's global random generator."""
    if settings.frequency_masks == settings.time_masks == 0:
        return frames_btd
    batch, time, width = frames_btd.shape
    bins = width // STACK
    kept_bm = torch.ones(batch, bins, dtype=torch.bool)
    kept_bt = torch.ones(batch, time, dtype=torch.bool)
    for _ in range(settings.frequency_masks):
        kept_bm &= ~_bands(batch, bins, settings.frequency_mask_bins)
    for _ in range(settings.time_masks):
        kept_bt &= ~_bands(batch, time, settings.time_mask_frames)
    kept_btd = kept_bt[:, :, None] & kept_bm.repeat(1, STACK)[:, None, :]
    return frames_btd * kept_btd.to(frames_btd.device)


def _bands(batch: int, size: int, widest: int) -> torch.Tensor:
    """One band a row, of random width 0..widest at a random place; bool [batch, size]."""
    widths = torch.randint(0, min(widest, size) + 1, (batch, 1))
    begins = (torch.rand(batch, 1) * (size - widths + 1)).long()
    places = torch.arange(size)[None, :]
    return (places >= begins) & (places < begins + widths)
