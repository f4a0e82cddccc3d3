"""The section of a transducer that is trained on simulated conversations: the separator-transducer-segmenter."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssl_asr.recipe.mixtures import Mixtures
from ssl_asr.recipe.objective import TurnSettings
from ssl_asr.recipe.section import NotNegative


class Conversations(Mixtures, TurnSettings):
    """How its conversations are simulated from the labeled speech, and what it learns of their turns.

    Each pass hears other conversations. In the first `one_talker_passes` each utterance is heard alone: the published
    network was trained on single talkers before it heard two (Sklyar et al. 2022). It had no CTC.
    """

    one_talker_passes: Annotated[int, Field(ge=0)] = 0
    ctc_weight: NotNegative = 0.5  # without it, little speech is learned by heart and not heard
