"""Names of inputs that would be the same: of files refused, on a terminal told apart."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ssl_asr.corpus.folders import split_ending
from ssl_asr.serving.transcribing.inputs import AudioInput, Found, shown
from ssl_asr.store.ledger import Reject


def without_clashes(found: Found) -> Found:
    """The same, but no two with one name, upper and lower case alike; audio that comes again is passed over."""
    taken: dict[str, AudioInput] = {}
    for each in found:
        if isinstance(each, Reject):
            yield each
            continue
        first = taken.setdefault(each.name.casefold(), each)
        if first is each:
            yield each
        elif first != each:
            yield Reject(
                shown(each.uri),
                f"its results would be called {each.name}, as those of {first.uri}; write them to another folder",
            )


def told_apart(found: Found, words: Sequence[str]) -> Found:
    """The same, but files among `words` whose names are equal are called as they were given.

    Of other audio with one name, such as in folders, all but the first are called by their URIs. Audio that
    comes again is passed over.
    """
    names = Counter(split_ending(os.path.basename(word))[0] for word in set(words))
    given = {os.path.abspath(word): word for word in words}
    taken, seen = dict[str, AudioInput](), set[AudioInput]()
    for each in found:
        if isinstance(each, Reject):
            yield each
            continue
        if each in seen:
            continue
        seen.add(each)
        word = given.get(each.uri, "")
        if taken.setdefault(each.name, each) != each or (word and names[each.name] > 1):
            yield replace(each, name=re.sub(r"[\x00-\x1f\x7f]", "_", word or each.uri))
        else:
            yield each
