"""What tests of training on clusters share: a run of their own, processes of their own, and the audit behind them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri
from ssl_asr.training.checkpoints.accounting import accounted_keys, read_accounts, read_schedule
from ssl_asr.training.curve import Record, read_curve
from ssl_asr.verifying.slab_audit import audit

ROOT = Path(__file__).parents[2]


def own_run(recipe: Recipe, folder: Path, workers: tuple[int, int], **student: Any) -> Recipe:
    """A copy of the run, its student trained in blocks of one slab a worker by workers of a whole CPU each."""
    shutil.copytree(recipe.run, folder, ignore=shutil.ignore_patterns("student*"))
    sync = recipe.student.sync.model_copy(update={"block_slabs": 1, **student.pop("sync", {})})
    cluster = recipe.cluster.model_copy(update={"train_workers": workers, "cpus_per_worker": 1.0})
    network = recipe.student.network.model_copy(update=student.pop("network", {}))
    changed = recipe.student.model_copy(update={"sync": sync, "network": network, **student})
    return recipe.model_copy(update={"run": str(folder), "student": changed, "cluster": cluster})


def own_ray() -> dict[str, str]:
    """The environment of a driver that starts a Ray of its own."""
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def every_slab_was_trained_on_once(recipe: Recipe, key: str | None = None) -> list[Record]:
    """Of the student with this key, or the only one; all workers agreed, as they assert at every block.

    Returns the blocks of the curve, which shows each of them once.
    """
    (only,) = [key] if key else accounted_keys(recipe.run, "student")
    kept = read_schedule(recipe.run, "student", only)
    accounts = list(read_accounts(recipe.run, "student", only))
    found = audit(kept.phases, kept.sizes, accounts, finished=True)
    assert found.problems == ()
    assert found.slabs == kept.slabs
    assert filesystem.exists(model_uri(recipe.run, "student"))
    blocks = [record for record in read_curve(recipe.run, "student") if "loss" in record]
    if key is None:
        assert [record["block"] for record in blocks] == [account.block for account in accounts]
    return blocks
