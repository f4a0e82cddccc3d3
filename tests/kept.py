"""What takes long to make is kept in the cache: another process of the tests, and their next run, copy it from there.

It is found by all that its content depends on: the product's code, the tests' fixtures, the pinned packages and the
processor, for sums of another one may differ in their last bits.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE_BY = (
    *("ssl_asr/**/*.py", "ssl_asr/**/*.yaml", "constraints.txt"),
    *("tests/*.py", "tests/**/conftest.py", "tests/training/simulated_stages.py"),
)
VERSIONS = 2  # of the code whose products are kept


def kept(place: Path, name: str, folder: Path, make: Callable[[], object]) -> None:
    """`make` fills `folder`, unless it has done so before: then a copy of that is put there.

    `place` is the folder of all that is kept. A second process that wants the same waits for the first.
    """
    version = place / _version()
    version.mkdir(parents=True, exist_ok=True)
    os.utime(version)
    with (version / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (version / name).exists():
            shutil.copytree(version / name, folder, dirs_exist_ok=True)
            return
        make()
        new = tempfile.mkdtemp(dir=version)
        shutil.copytree(folder, new, dirs_exist_ok=True)
        os.rename(new, version / name)
    _forget_old(place)


def _forget_old(place: Path) -> None:
    versions = sorted(place.iterdir(), key=lambda each: each.stat().st_mtime)
    for version in versions[:-VERSIONS]:
        shutil.rmtree(version, ignore_errors=True)


@cache
def _version() -> str:
    digest = hashlib.sha256(f"{sys.version} {os.environ.get('OMP_NUM_THREADS')} {_processor()}".encode())
    for file in sorted(file for pattern in MADE_BY for file in ROOT.glob(pattern)):
        digest.update(f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
