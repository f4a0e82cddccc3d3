"""How conversations of two talkers are simulated from single utterances."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section, Share


class Mixtures(Section):
    """Turns of one mixture: at most two are spoken at once.

    Published are 1 to 5 turns, levels within 5 dB, reverberation, and nothing above 30 s (Sklyar et al. 2022). How
    much turns overlap and how long pauses last was not published.
    """

    turns: tuple[Positive, Positive] = (1, 5)  # least and most
    # Of the turns that follow one of another speaker: those that begin before it ends. The others wait for a pause.
    overlap_share: Share = 0.5
    longest_overlap: Share = 0.5  # as a share of the shorter one of the two turns
    pause_seconds: tuple[NotNegative, NotNegative] = (0.1, 1.0)  # shortest and longest
    # Each turn's mean power lies at most so far above or below that of the first turn.
    level_db: NotNegative = 5.0
    room_share: Share = 1.0  # of the mixtures: those that are spoken in a simulated room
    longest_seconds: Annotated[PositiveFloat, Field(le=600)] = 30  # longer mixtures are left out

    @model_validator(mode="after")
    def _consistent(self) -> Mixtures:
        for key in ("turns", "pause_seconds"):
            least, most = getattr(self, key)
            if least > most:
                raise ValueError(f"{key}: the least, {least:g}, is above the most, {most:g}")
        return self
