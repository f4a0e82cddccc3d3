"""A student's training that is slow while its brake is on, so that little is trained while machines come and go.

Without a brake, a training must be long enough for a fast machine, and a slow one then trains for minutes after the
last machine has gone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from ssl_asr.training.data.examples import Example
from ssl_asr.training.data.slab_reader import SlabReader

if TYPE_CHECKING:  # workers import this module with the reader, and start faster without these
    from ssl_asr.recipe import Cluster, Recipe
    from ssl_asr.training.curve import CurveWriter
    from ssl_asr.training.job import TrainingJob

SECONDS = 0.5  # that reading a slab takes at least

# A driver; but for the brake it is as a user's.
STUDENT = """
import sys
from ssl_asr.recipe import Recipe
from tests.cluster.braked import run_student
run_student(Recipe.model_validate_json(sys.argv[1]))
"""


def brake_of(run: str) -> Path:
    """The brake is on while this file is there."""
    return Path(run) / "brake"


def values_of(reader: SlabReader) -> dict[str, Any]:
    """What another reader is made from."""
    return {name: getattr(reader, name) for name in reader.__dataclass_fields__}


class BrakedReader(SlabReader):
    def read(self, source: Any, ref: Any, offset: int) -> list[Example]:
        if brake_of(self.run).exists():
            time.sleep(SECONDS)
        return super().read(source, ref, offset)


def run_student(recipe: Recipe) -> None:
    from ssl_asr.training import stage

    fit = stage.fit

    def fit_braked(job: TrainingJob, workers: Cluster) -> CurveWriter:
        assert isinstance(job.reader, SlabReader)
        return fit(replace(job, reader=BrakedReader(**values_of(job.reader))), workers)

    with mock.patch.object(stage, "fit", fit_braked):
        stage.run_student(recipe)
