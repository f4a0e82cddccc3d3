"""A transducer of another run as the teacher: where it lies, how it searches, whether it fits this run's features.

A run's own transducers are trained after its hypotheses are there, so none of them can be their teacher.
"""

from __future__ import annotations

from dataclasses import dataclass

from ssl_asr.frontend.prior import made_with
from ssl_asr.frontend.stacking import STACK
from ssl_asr.hypotheses.outside.source import KEY
from ssl_asr.recipe import Recipe, SeparatorNetwork, TransducerSearch
from ssl_asr.recipe.identity import differences
from ssl_asr.runtime.run_directory import check_exists, open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.layout import prior_uri
from ssl_asr.store.training_layout import model_uri
from ssl_asr.transducer.model_files import load_transducer

VERSION = "1"  # raise where equal inputs give other words, times or posteriors


@dataclass(frozen=True)
class TransducerTeacher:
    """A transducer's `run`, its model's file, and its search without a language model."""

    run: str
    uri: str
    search: TransducerSearch

    @property
    def inputs(self) -> dict[str, str]:
        """What words follow from besides the model and the features."""
        sizes = {"beam": str(self.search.beam), "max_symbols": str(self.search.max_symbols)}
        return {"version": f"transducer {VERSION}", **sizes}


def transducer_teacher(recipe: Recipe) -> TransducerTeacher:
    """The one that the recipe names; ValueError where it can't be used, or is of the run itself.

    Its search has the beam of its own run. It has no n-gram, whose text may hold what the unlabeled speech says.
    """
    named = f"{KEY}={recipe.hypotheses.teacher}"
    place, _, name = str(recipe.hypotheses.teacher).partition(":")[2].rpartition("/")
    run = filesystem.absolute(place)
    if run == filesystem.absolute(recipe.run):
        raise ValueError(f"{named} is of this run, which trains its transducers later; name one of another run")
    check_exists(run)
    settings = open_recipe(run).transducers.get(name)
    uri = model_uri(run, name)
    if settings is None or not filesystem.exists(uri):
        raise ValueError(f"{named}: {run} has no transducer {name}; correct the name, or train it there first")
    if settings.conversations is not None:
        raise ValueError(f"{named} recognises conversations; name one that recognises single utterances")
    return TransducerTeacher(
        run, uri, TransducerSearch(**settings.search.model_dump(include={"beam", "max_symbols"}))
    )


def transducer_exists(recipe: Recipe) -> bool:
    try:
        transducer_teacher(recipe)
    except ValueError:
        return False
    return True


def check_features(recipe: Recipe, teacher: TransducerTeacher) -> None:
    """ValueError where the teacher learned features that were made in another way than this run's."""
    mine, its = made_with(recipe.run), made_with(teacher.run)
    if mine is None or its is None:
        missing = prior_uri(recipe.run if mine is None else teacher.run)
        raise ValueError(f"{missing} is missing, which says how features were made; run that run's frontend stage")
    if differing := differences(mine, its):
        raise ValueError(
            f"{KEY}={recipe.hypotheses.teacher} learned features of another {', '.join(differing)} than this run's; "
            "give both runs the same values"
        )


def check_model_of(recipe: Recipe, teacher: TransducerTeacher) -> None:
    """ValueError where the model's file is damaged, or has other inputs or outputs than its run's recipe says."""
    spec = load_transducer(teacher.uri)[0].spec
    inputs = recipe.frontend.mel_bins * STACK
    if spec.inputs != inputs:
        raise ValueError(
            f"{teacher.uri} takes {spec.inputs} values of a frame, and this run's front end makes {inputs}; train it "
            "again in its run"
        )
    if isinstance(spec.network, SeparatorNetwork):
        raise ValueError(f"{teacher.uri} recognises conversations, as its recipe does no more; train it again there")
