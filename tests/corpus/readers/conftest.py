from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import with_numbers
from tests.s3_server import s3_server


@pytest.fixture
def spoken(clips: list[Clip]) -> list[Clip]:
    """The clips, with numbers for their speakers."""
    return with_numbers(clips)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server.create_bucket("corpus")


def upload(folder: Path, uri: str) -> None:
    """All files below a folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            filesystem.write_bytes(f"{uri}/{file.relative_to(folder)}", file.read_bytes())
