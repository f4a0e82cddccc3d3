"""From a path of states to the triphone that each frame belongs to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.transcripts import STATES_PER_PHONE


def triphone_codes(states: npt.NDArray[np.integer], num_phones: int) -> npt.NDArray[np.int32]:
    """Code of the triphone of each frame [T] of a path of states [T]; silence stands beyond either end.

    That of (left, centre, right) is (left * num_phones + centre) * num_phones + right.
    """
    phones, place = np.divmod(states, STATES_PER_PHONE)
    # If a phone follows itself, the second one begins where the state index in the phone falls.
    begins = np.concatenate([[True], (np.diff(phones) != 0) | (np.diff(place) < 0)])
    spoken = phones[begins]
    left = np.concatenate([[0], spoken[:-1]])
    right = np.concatenate([spoken[1:], [0]])
    codes = (left * num_phones + spoken) * num_phones + right
    return codes[np.cumsum(begins) - 1].astype(np.int32)


def triphones_of(codes: npt.NDArray[np.integer], num_phones: int) -> npt.NDArray[np.int32]:
    """(left, centre, right) of each code, [N, 3]."""
    return np.stack(np.unravel_index(codes, (num_phones,) * 3), axis=1).astype(np.int32)


def centres(codes: npt.NDArray[np.integer], num_phones: int) -> npt.NDArray[np.integer]:
    """The centre phone of each code."""
    return codes // num_phones % num_phones
