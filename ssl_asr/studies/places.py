"""How the folders of runs are named: by recipe, overrides and seed, so that studies share them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

# These say where work runs, and do not change what it makes.
_PLACES = ("run=", "corpus.cache=", "cluster.")
_LONGEST = 80


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
