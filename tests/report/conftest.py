"""A run that was decoded for real, with its report and with audio that can be played."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.recipe import Recipe
from ssl_asr.report.stage import run_report


@pytest.fixture(scope="session")
def reported(decoded: Recipe) -> Recipe:
    """Not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(decoded.run).parent)
        run_report(decoded)
    return decoded
