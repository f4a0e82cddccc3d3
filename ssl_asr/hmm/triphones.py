"""From a path of states to the triphone that each frame belongs to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transcripts import STATES_PER_PHONE
from ssl_asr.lang.phones import PHONES

_P = len(PHONES)


def triphone_codes(states: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Code of the triphone of each frame [T] of a path of states [T]; silence stands beyond either end."""
    phones, place = np.divmod(states, STATES_PER_PHONE)
    # If a phone follows itself, the second one begins where the state index in the phone falls.
    begins = np.concatenate([[True], (np.diff(phones) != 0) | (np.diff(place) < 0)])
    spoken = phones[begins]
    left = np.concatenate([[0], spoken[:-1]])
    right = np.concatenate([spoken[1:], [0]])
    codes = (left * _P + spoken) * _P + right
    return codes[np.cumsum(begins) - 1].astype(np.int32)


def all_triphones() -> npt.NDArray[np.int32]:
    """(left, centre, right) of every code, [P * P * P, 3]: row `code` is its triphone."""
    return np.stack(np.unravel_index(np.arange(_P**3), (_P, _P, _P)), axis=1).astype(np.int32)
