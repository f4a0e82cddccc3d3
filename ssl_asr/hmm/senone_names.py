"""Readable names of senones: the centre phone and the number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssl_asr.hmm.senones import SenoneSet


@dataclass(frozen=True)
class SenoneNames:
    """By senone: `phones`, its most common centre phone, and `names`: "AH 132", or "AH+ 132" if phones share it."""

    phones: tuple[str, ...]
    names: tuple[str, ...]


def names_of(senones: SenoneSet) -> SenoneNames:
    triphones = np.zeros((senones.size, len(senones.phones)), np.int64)
    centres = np.broadcast_to(np.arange(len(senones.phones))[None, :, None], senones.table.shape)
    np.add.at(triphones, (senones.table, centres), 1)
    phones = tuple(senones.phones.names[index] for index in triphones.argmax(axis=1))
    mixed = (triphones > 0).sum(axis=1) > 1
    names = (f"{phone}{'+' * bool(mixed[number])} {number}" for number, phone in enumerate(phones))
    return SenoneNames(phones, tuple(names))
