"""How audio becomes features."""

from __future__ import annotations

from typing import Literal

from ssl_asr.recipe.section import Positive, PositiveFloat, Section


class Frontend(Section):
    sample_rate: Positive = 16000
    mel_bins: Positive = 64
    low_hz: PositiveFloat = 20
    high_hz: PositiveFloat = 7600
    stack: Literal[3] = 3  # 10 ms frames stacked into one 30 ms frame
    # Log energies further than this below the speaker's running level are raised to it: 9 nats are 39 dB.
    energy_range_nats: PositiveFloat = 9.0
    mean_prior_seconds: PositiveFloat = 1.0  # weight of the corpus mean at a speaker's first frame
    mean_memory_seconds: PositiveFloat = 120.0  # of the causal running mean and level
    # Of a stored value. 8: with a range of its own for each bin and utterance. 2: about two, by a cosine transform of
    # blocks of 8 frames, as JPEG does it (docs/formats.md); for up to 256 bins.
    feature_bits: Literal[16, 8, 2] = 16
