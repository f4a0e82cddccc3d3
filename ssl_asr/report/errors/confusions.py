"""Which words are taken for which others, left out and made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ssl_asr.report.errors.utterances import AlignedUtterance


@dataclass(frozen=True)
class Confusion:
    """`reference` recognised as `hypothesis` `count` times; one of them is "" for a word left out or made up.

    `of` is how often the reference word was said, or how often the made-up word was recognised in all.
    """

    reference: str
    hypothesis: str
    count: int
    of: int


@dataclass(frozen=True)
class Confusions:
    """Of one system, the most frequent first."""

    substitutions: tuple[Confusion, ...]
    deletions: tuple[Confusion, ...]
    insertions: tuple[Confusion, ...]


def confusions(utterances: Iterable[AlignedUtterance], system: str, most: int) -> Confusions:
    """At most `most` of each kind; of equally frequent ones the first by the alphabet."""
    wrong: Counter[tuple[str, str]] = Counter()
    said: Counter[str] = Counter()
    recognised: Counter[str] = Counter()
    for each in utterances:
        words = each.systems[system].words
        said.update(pair.reference for pair in words)
        recognised.update(pair.hypothesis for pair in words)
        wrong.update((pair.reference, pair.hypothesis) for pair in words if not pair.right)
    found = [
        Confusion(*pair, count, said[pair[0]] if pair[0] else recognised[pair[1]])
        for pair, count in sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Confusions(
        tuple(each for each in found if each.reference and each.hypothesis)[:most],
        tuple(each for each in found if not each.hypothesis)[:most],
        tuple(each for each in found if not each.reference)[:most],
    )
