"""Cutting a split into shards and slabs of near-equal length."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ssl_asr.corpus.utterance import Utterance

Group = list[Utterance]  # a recording in its conditions: never parted, for labels are copied within it


def cut_shards(groups: Sequence[Group], shard_minutes: float, slab_minutes: float) -> list[list[list[Utterance]]]:
    """Shards of about `shard_minutes`, each a list of slabs of about `slab_minutes`.

    A shard holds whole speakers where they fit; a speaker with more than a shard's speech is cut into consecutive
    pieces. Within a shard speakers follow each other by name, each in time order.
    """
    total = sum(map(_seconds, groups))
    if not groups:
        return []
    count = max(1, round(total / (60 * shard_minutes)))
    pieces = [piece for speaker in _by_speaker(groups) for piece in _pieces(speaker, total / count)]
    shards: list[list[list[Group]]] = [[] for _ in range(count)]
    loads = [0.0] * count
    # Longest first, each to the emptiest shard; consecutive pieces keep their names' order below.
    for place in sorted(range(len(pieces)), key=lambda place: (-sum(map(_seconds, pieces[place])), place)):
        least = loads.index(min(loads))
        shards[least].append(pieces[place])
        loads[least] += sum(map(_seconds, pieces[place]))
    cut = []
    for shard in shards:
        rows = sorted((group for piece in shard for group in piece), key=_place)
        if rows:
            cut.append([[row for group in slab for row in group] for slab in _cut(rows, 60 * slab_minutes)])
    return cut


def _seconds(group: Group) -> float:
    return sum(utterance.duration for utterance in group)


def _place(group: Group) -> tuple[str, int, str]:
    return group[0].speaker, group[0].order, group[0].recording


def _by_speaker(groups: Sequence[Group]) -> list[list[Group]]:
    speakers: dict[str, list[Group]] = {}
    for group in sorted(groups, key=_place):
        speakers.setdefault(group[0].speaker, []).append(group)
    return list(speakers.values())


def _pieces(speaker: list[Group], shard_seconds: float) -> list[list[Group]]:
    count = math.ceil(sum(map(_seconds, speaker)) / shard_seconds)
    # Several pieces of a long speaker fill shards more evenly than one that is nearly a shard.
    return [speaker] if count <= 1 else _even(speaker, count * 2)


def _cut(rows: list[Group], seconds: float) -> list[list[Group]]:
    return _even(rows, max(1, round(sum(map(_seconds, rows)) / seconds)))


def _even(rows: list[Group], count: int) -> list[list[Group]]:
    """`rows` in at most `count` consecutive parts of near-equal length, none empty."""
    total = sum(map(_seconds, rows))
    parts: list[list[Group]] = [[] for _ in range(count)]
    passed = 0.0
    for row in rows:
        middle = passed + _seconds(row) / 2
        parts[min(int(middle / total * count), count - 1)].append(row)
        passed += _seconds(row)
    return [part for part in parts if part]
