"""Readable names of the senones of a target set."""

from __future__ import annotations

from ssl_asr.hmm.senone_names import SenoneNames, names_of
from ssl_asr.hmm.senones import load_senones
from ssl_asr.labelling.teachers import teacher_id
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.hmm_layout import senones_uri
from ssl_asr.store.training_layout import model_uri


def names_for(recipe: Recipe, teacher: str) -> SenoneNames | None:
    """Senone names for the targets of this teacher; None if the run now has another teacher, or no senones.

    The run's senones belong to its current teacher: another teacher's numbers may mean other sounds.
    """
    known = [senones_uri(recipe.run)]
    known += [model_uri(recipe.run, name) for name in teachers_of(recipe)]
    if not all(map(filesystem.exists, known)) or teacher_id(recipe) != teacher:
        return None
    return names_of(load_senones(recipe.run))
