"""The toy language's student as a bundle."""

from __future__ import annotations

import shutil

import pytest

from ssl_asr.frontend.prior import Prior
from ssl_asr.recipe import Recipe
from ssl_asr.serving.exporting.export import Exported, export
from ssl_asr.store import filesystem
from ssl_asr.store.layout import prior_uri


@pytest.fixture(scope="session")
def toy_source(tmp_path_factory: pytest.TempPathFactory, decoded: Recipe) -> Recipe:
    """The toy language's run, evaluated, with a prior; not to be changed."""
    folder = tmp_path_factory.mktemp("toy-source")
    shutil.copytree(decoded.run, folder / "run")
    filesystem.write_bytes(prior_uri(f"{folder}/run"), Prior((9.0,) * 64, 12.0, 1000, {}).to_json())
    return decoded.model_copy(update={"run": f"{folder}/run"})


@pytest.fixture(scope="session")
def toy_export(tmp_path_factory: pytest.TempPathFactory, toy_source: Recipe) -> Exported:
    """Its student's bundle; not to be changed."""
    return export(toy_source, "student", tmp_path_factory.mktemp("toy-bundle") / "bundle")
