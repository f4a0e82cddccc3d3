"""Where the runs of studies lie: one folder for a recipe, its overrides and a seed, whichever study asks for it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri
from ssl_asr.store.results_layout import uri_in_copy

# These say where work runs, and do not change what it makes.
_PLACES = ("run=", "corpus.cache=", "cluster.")
_LONGEST = 80
_PIECE = 1 << 22


def run_name(recipe: str, seed: int, overrides: Sequence[str]) -> str:
    """A name for a folder: "demo-1", or "demo-1-student.order=segregated"; the same for the same overrides.

    Of two overrides of a key the last counts.
    """
    known = {each.partition("=")[0]: each for each in matter(overrides)}
    base = f"{re.sub('[^A-Za-z0-9._-]', '_', recipe.rpartition('/')[2].removesuffix('.yaml'))}-{seed}"
    if not known:
        return base
    exact = ",".join(sorted(known.values()))
    readable = re.sub(r"[^A-Za-z0-9._=,+-]", "_", exact)
    if readable == exact and len(exact) <= _LONGEST:
        return f"{base}-{exact}"
    return f"{base}-{readable[:_LONGEST]}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def matter(overrides: Sequence[str]) -> list[str]:
    """Those that change what a run makes, and not only where."""
    return [each for each in overrides if not each.startswith(_PLACES)]


def start_from(run: str, other: str) -> None:
    """Copy what the run `other` has made to `run`, unless a run is there; stages then make only what differs.

    The recipe comes last: a copy that was stopped has none, and is made again.
    """
    if filesystem.exists(recipe_uri(run)) or not filesystem.exists(recipe_uri(other)):
        return
    root = filesystem.absolute(other)
    for uri in filesystem.list_files(root):
        to = uri_in_copy(root, uri, run)
        if to is not None and to != recipe_uri(run):
            _copy(uri, to)
    filesystem.write_bytes(recipe_uri(run), filesystem.read_bytes(recipe_uri(other)))


def _copy(uri: str, to: str) -> None:
    def pieces() -> list[bytes]:
        found = []
        with filesystem.reading(uri) as stream:
            while piece := stream.read(_PIECE):
                found.append(piece)
        return found

    filesystem.write_pieces(to, pieces)
