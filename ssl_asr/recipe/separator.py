"""The network that gives each of several talkers an output channel."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssl_asr.recipe.section import Positive, Section


class SeparatorNetwork(Section):
    """Causal. Published: two channels, and 2 x 1024 LSTM cells in each of the encoders (Sklyar et al. 2022)."""

    channels: Annotated[int, Field(ge=1, le=8)] = 2  # talkers at once
    mixture_layers: Positive = 2
    separation_layers: Positive = 2  # of each channel
    recogniser_layers: Positive = 2  # the same for all channels
    units: Positive = 1024
    width: Positive = 640  # of the outputs
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
