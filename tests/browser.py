"""A real browser, for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_PROGRAM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)

needs_browser = pytest.mark.skipif(
    _PROGRAM is None and "CI" not in os.environ, reason="no browser: apt-get install chromium-headless-shell"
)


@contextmanager
def launched(*options: str) -> Iterator[Browser]:
    """Chromium with these options on its command line."""
    assert _PROGRAM is not None, "continuous integration installs a browser"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_PROGRAM, args=["--no-sandbox", *options])
        yield browser
        browser.close()
