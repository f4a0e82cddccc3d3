"""The search for cycles rests inside, and only there."""

from __future__ import annotations

import gc

import pytest

from ssl_asr.runtime.collector import collector_paused


def test_it_goes_on_after_work_and_after_a_failure() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled(), "an outer pause lasts"
    assert gc.isenabled()
    with pytest.raises(ValueError, match="bad"), collector_paused():
        raise ValueError("bad")
    assert gc.isenabled()
