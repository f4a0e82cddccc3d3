"""The alphabet of transcripts: a-z, apostrophe and single spaces."""

from __future__ import annotations

import re

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})
# Marks that carry no sound and may be removed; any other character outside the alphabet is reported.
_PUNCTUATION = re.compile(r"[.,!?;:\"“”«»()…\-‐‑‒–—\s]")


def normalise(text: str) -> str:
    """`text` in lower case, with words of a-z and inner apostrophes, separated by single spaces; may be empty.

    Hyphens, dashes and characters outside the alphabet separate words (see `unknown_characters`).
    """
    spelled = re.sub(r"[^a-z' ]", " ", text.lower().translate(_APOSTROPHES))
    # An apostrophe at a word's edge is a quotation mark far more often than a lost letter.
    words = (word.strip("'") for word in spelled.split())
    return " ".join(word for word in words if word)


def unknown_characters(text: str) -> str:
    """The characters of `text` that are neither letters a-z, apostrophes nor punctuation, each once, sorted."""
    left = _PUNCTUATION.sub("", text.lower().translate(_APOSTROPHES))
    return "".join(sorted(set(re.sub(r"[a-z']", "", left))))
