"""Audits what the models of a run were trained on: their accounts of slabs against their schedules."""

from __future__ import annotations

from ssl_asr.models.model_files import made_from
from ssl_asr.models.systems import MODELS
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.speakers.kept import extractor_key
from ssl_asr.store import filesystem
from ssl_asr.store.speakers_layout import extractor_of_training
from ssl_asr.store.training_layout import accounts_uri, model_uri, trainings_folder
from ssl_asr.training.checkpoints.accounting import (
    accounted_keys,
    fix_hint,
    read_accounts,
    read_schedule,
)
from ssl_asr.verifying.findings import Finding
from ssl_asr.verifying.shard_check import Verdict
from ssl_asr.verifying.slab_audit import audit

_ONCE = "each trained on exactly once"


def check_training(run: str) -> Verdict:
    """Checks every training run with a schedule: of the finished model, and of interrupted or replaced ones."""
    verdict = Verdict()
    known = filesystem.list_folders(trainings_folder(run))
    for name in [*MODELS, *(other for other in known if other not in MODELS)]:
        finished = _key_of(run, name)
        keys = accounted_keys(run, name)
        for key in keys:
            verdict.add(_check(run, name, key, finished=key == finished))
        if finished is not None and finished not in keys:
            verdict.unaudited.append(name)
    return verdict


def _check(run: str, name: str, key: str, *, finished: bool) -> Verdict:
    try:
        kept = read_schedule(run, name, key)
        found = audit(kept.phases, kept.sizes, read_accounts(run, name, key), finished=finished)
    except ValueError as error:
        return Verdict([Finding(str(error))])
    except OSError as error:
        said = f"{accounts_uri(run, name, key)} could not be read ({' '.join(str(error).split())})"
        return Verdict([Finding(f"{said}; check disk, permissions and network")])
    if found.problems:
        where, cure = accounts_uri(run, name, key), fix_hint(run, name)
        return Verdict([Finding(f"{where}: {problem}; {cure}") for problem in found.problems])
    dropped = f"; {found.dropped:,} contributions were not finite and left out" if found.dropped else ""
    if finished:
        return Verdict(trained=[f"{name}: {found.slabs:,} slabs in {found.phases:,} phases, {_ONCE}{dropped}"])
    done = f"{found.slabs:,} of {kept.slabs:,} slabs"
    return Verdict(trained=[f"{name} {key}, not finished: {done}, {_ONCE}{dropped}"])


def _key_of(run: str, name: str) -> str | None:
    """The key of the finished model; None if there is none, or if its file is damaged, which another check finds."""
    try:
        if (extractor := extractor_of_training(name)) is not None:
            return extractor_key(run, extractor)
        found = made_from(model_uri(run, name))
    except ValueError:
        return None
    return None if found is None else inputs_key(found)
