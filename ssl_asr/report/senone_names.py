"""Readable names of senones: the centre phone and the number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssl_asr.hmm.senones import SenoneSet, load_senones
from ssl_asr.labelling.teachers import teacher_id
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import model_uri, senones_uri


@dataclass(frozen=True)
class SenoneNames:
    """By senone: `phones`, its most common centre phone, and `names`: "AH 132", or "AH+ 132" if phones share it."""

    phones: tuple[str, ...]
    names: tuple[str, ...]


def names_of(senones: SenoneSet) -> SenoneNames:
    triphones = np.zeros((senones.size, len(senones.phones)), np.int64)
    centres = np.broadcast_to(np.arange(len(senones.phones))[None, :, None], senones.table.shape)
    np.add.at(triphones, (senones.table, centres), 1)
    phones = tuple(senones.phones[index] for index in triphones.argmax(axis=1))
    mixed = (triphones > 0).sum(axis=1) > 1
    names = (f"{phone}{'+' * bool(mixed[number])} {number}" for number, phone in enumerate(phones))
    return SenoneNames(phones, tuple(names))


def names_for(recipe: Recipe, teacher: str) -> SenoneNames | None:
    """Senone names for the targets of this teacher; None if the run now has another teacher, or no senones.

    The run's senones belong to its current teacher: another teacher's numbers may mean other sounds.
    """
    known = [senones_uri(recipe.run)]
    known += [model_uri(recipe.run, name) for name in teachers_of(recipe)]
    if not all(map(filesystem.exists, known)) or teacher_id(recipe) != teacher:
        return None
    return names_of(load_senones(recipe.run))
