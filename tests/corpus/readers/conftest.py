from __future__ import annotations

from pathlib import Path

import pytest

from ssl_asr.store import filesystem
from tests.corpus.conftest import Clip
from tests.corpus.public_trees import with_numbers
from tests.s3_server import S3Server


@pytest.fixture
def spoken(clips: list[Clip]) -> list[Clip]:
    """The clips, with numbers for their speakers."""
    return with_numbers(clips)


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.create_bucket("corpus")


def upload(folder: Path, uri: str) -> None:
    """All files below a folder."""
    for file in folder.rglob("*"):
        if file.is_file():
            filesystem.write_bytes(f"{uri}/{file.relative_to(folder)}", file.read_bytes())
