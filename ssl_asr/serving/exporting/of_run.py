"""The bundle of a run's student: made when audio is first transcribed with the run, and again when it has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.description import DESCRIPTION, WEIGHTS, SenoneDescription
from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.training_layout import model_uri


def bundle_of(folder: str, say: Callable[[str], None]) -> str:
    """`folder` itself, or of a run `folder`/bundle; `say` is told if that has to be made.

    ValueError if it is a run of which no bundle can be made. Whether `folder` is a bundle is not looked at.
    """
    if (Path(folder) / DESCRIPTION).exists() or "://" in folder or not filesystem.exists(recipe_uri(folder)):
        return folder
    bundle = Path(folder) / "bundle"
    if not _is_current(folder, bundle):
        say(f"{bundle} is made of the run's student; this takes some minutes, once")
        _export(folder, bundle)
    return str(bundle)


def _is_current(run: str, bundle: Path) -> bool:
    """Whether it holds the student that the run has now, and is of the results that the run has now."""
    from ssl_asr.evaluation.results_file import read_results  # with the recipe, which takes time to import
    from ssl_asr.models.systems import STUDENT
    from ssl_asr.recipe.identity import inputs_key

    weights = model_uri(run, STUDENT)
    if (
        not (bundle / DESCRIPTION).exists()
        or not filesystem.exists(weights)
        or not filesystem.exists(results_uri(run))
    ):
        return False
    described, results = open_bundle(bundle).description, read_results(run)
    if not isinstance(described, SenoneDescription):
        return False
    scales = (described.scoring.acoustic_scale, described.scoring.prior_scale)
    same = hashlib.sha256(filesystem.read_bytes(weights)).hexdigest() == described.files[WEIGHTS].sha256
    same &= described.results == inputs_key(results.inputs)  # with them the graph and the search's settings
    return same and scales == (results.kappa.get(STUDENT), results.prior_scale.get(STUDENT, 1.0))


def _export(run: str, bundle: Path) -> None:
    from ssl_asr.models.systems import STUDENT
    from ssl_asr.runtime.run_directory import open_recipe

    try:
        from ssl_asr.serving.exporting.export import export
    except ModuleNotFoundError as missing:
        raise ValueError(
            f"{run} is a run, of which {missing.name} makes a bundle; install ssl-asr[export]"
        ) from missing
    export(open_recipe(run), STUDENT, bundle)
