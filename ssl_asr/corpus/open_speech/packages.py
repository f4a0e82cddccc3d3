"""Debian packages with speech inside: fetched by apt without root, checked, unpacked into the cache.

Nothing is installed and the system's package lists stay unchanged: `apt-get download` and `dpkg-deb -x` need no root.
If the system's lists are empty (a fresh container), private lists are fetched into the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ssl_asr.progress import Progress

# Checksums of Debian 12's packages; other releases carry other builds of the same recordings.
SHA256 = {
    "flight-of-the-amazon-queen": "40c08fd258d6fe95c46c1eaf5e9137f84ba330657995a281bd887c94a560a0f1",
    "drascula": "ed4af8e2d41ad446e2f3b73533daa1804e2f13f62f596c0b02b8dc39544f22b4",
    "asterisk-core-sounds-en": "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    "asterisk-core-sounds-en-wav": "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    "asterisk-core-sounds-fr-gsm": "97bd8bebb7ef775046802a5a466d8f89916f54f437e158a1ec537cef814d44fd",
    "asterisk-core-sounds-it-gsm": "fb6d6ce94502894714f00240c372a291bcaa4cd3e05fdf278780a4dd9edfabab",
    "asterisk-core-sounds-es-gsm": "533b4c29e232cae99f89a6933b5fc0af5341514e513924df401c683e222614b7",
    "asterisk-core-sounds-ru-gsm": "19770f5c211e8c3a1dc8eefd703382570da7edf00c52db069ebc2a64d5dda4bd",
}
# Texts of prompts in other languages, which no preset needs.
OTHER_TEXTS_SHA256 = {
    "asterisk-core-sounds-es": "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
    "asterisk-core-sounds-fr": "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
    "asterisk-core-sounds-it": "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
    "asterisk-core-sounds-ru": "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
}
_TIMEOUT_SECONDS = 600
_STALE_SECONDS = 3600


class FetchError(RuntimeError):
    """Recorded speech can't be fetched on this machine; the message says why in a few words."""


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A folder that appears at `final` complete, or not at all if the block fails or is killed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    for left in final.parent.glob(f"{final.name}.tmp-*"):  # of a killed process; a running one's is younger
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    temporary = final.with_name(f"{final.name}.tmp-{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        yield temporary
        # If another process was faster, its folder stays.
        with contextlib.suppress(OSError):
            os.rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def fetch(cache: Path, names: Sequence[str] = tuple(SHA256)) -> dict[str, Path]:
    """The unpacked folder of each package, fetched if the cache lacks it; FetchError if that fails."""
    folders = {name: cache / "packages" / name for name in names}
    missing = [name for name in names if not folders[name].is_dir()]
    if not missing:
        return folders
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"{tool} is missing here")
    options = _apt_options(cache, missing[0])
    progress = Progress("fetching recorded speech", len(names), "packages", interval=0.0)
    progress.skip(len(names) - len(missing))
    for name in missing:
        _fetch_one(name, folders[name], options)
        progress.advance(note=name)
    return folders


def licences(cache: Path) -> dict[str, str]:
    """The copyright file of each package, in full."""
    found = {}
    for name, folder in fetch(cache).items():
        found[name] = (folder / "usr/share/doc" / name / "copyright").read_text(encoding="utf-8")
    return found


def _fetch_one(name: str, final: Path, options: Sequence[str]) -> None:
    with new_folder(final) as folder:
        _run(["apt-get", *options, "download", name], folder)
        archives = list(folder.glob("*.deb"))
        if len(archives) != 1:
            raise FetchError(f"apt-get downloaded no package {name}")
        found = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if found != (SHA256 | OTHER_TEXTS_SHA256)[name]:
            print(
                f"warning: {archives[0].name} is another build than the tested one; it is used anyway",
                file=sys.stderr,
            )
        _run(["dpkg-deb", "-x", archives[0].name, "."], folder)
        (folder / "package.json").write_text(json.dumps({"file": archives[0].name, "sha256": found}))
        archives[0].unlink()


def _apt_options(cache: Path, name: str) -> list[str]:
    """Options that let apt find `name`: none, or private package lists if the system's lists don't have it."""
    if _knows([], name, cache):
        return []
    state, archives = cache / "apt" / "state", cache / "apt" / "cache"
    for folder in (state / "lists" / "partial", archives / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = [
        f"-oDir::State={state}",
        f"-oDir::Cache={archives}",
        "-oDir::State::status=/var/lib/dpkg/status",
        "-oAcquire::http::Timeout=20",
        "-oAcquire::Languages=none",
    ]
    if not _knows(options, name, cache):
        print("  fetching package lists", file=sys.stderr)
        # Its exit status is useless: one unreachable source of many makes it fail. The next check decides.
        command = ["apt-get", *options, "update"]
        subprocess.run(command, cwd=cache, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False)
    if not _knows(options, name, cache):
        raise FetchError(f"apt finds no package {name}; the network or the package sources are missing")
    return options


def _knows(options: Sequence[str], name: str, folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["apt-cache", *options, "show", "--no-all-versions", name]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{' '.join(command[:1])} did not end within {_TIMEOUT_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith("E:")] or error.stderr.splitlines()
        raise FetchError(f"{command[0]} failed ({lines[-1] if lines else 'no message'})") from error
