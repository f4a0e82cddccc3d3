"""Cuts a split into shards and slabs of near-equal length; keeps existing shards when speech is added."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from ssl_asr.store.utterance import Utterance

Group = list[Utterance]  # a recording in its conditions: never separated, because labels are copied inside it
Slabs = list[list[Utterance]]  # of one shard


def plan_shards(
    groups: Sequence[Group], before: Mapping[int, Slabs], shard_minutes: float, slab_minutes: float
) -> tuple[list[int], dict[int, Slabs]]:
    """Numbers of the shards of `before` that stay unchanged, and new shards, by number, with all other groups.

    `before` holds what an earlier attempt wrote. If `cut_shards` makes each of its shards from `groups`, the attempt
    was killed, and the missing shards are made: the result is that of an uninterrupted run. Otherwise the data have
    changed. Then all groups outside unchanged shards are cut by themselves and get the lowest free numbers. The
    price: a run that grew is cut differently from a fresh run on the same data. A speaker's added speech may be in
    another shard than the older speech, and a small addition is a small shard.
    """
    fresh = dict(enumerate(cut_shards(groups, shard_minutes, slab_minutes)))
    if all(fresh.get(number) == slabs for number, slabs in before.items()):
        return sorted(before), {number: slabs for number, slabs in fresh.items() if number not in before}
    kept, rest = unchanged(groups, before)
    free = (number for number in itertools.count() if number not in kept)
    return sorted(kept), dict(zip(free, cut_shards(rest, shard_minutes, slab_minutes), strict=False))


def unchanged(groups: Sequence[Group], before: Mapping[int, Slabs]) -> tuple[dict[int, Slabs], list[Group]]:
    """The shards of `before` that hold only whole groups of `groups`, and the groups that are in none of them.

    An utterance that differs in any field is another utterance. A killed attempt may leave shards that share a group;
    then the lowest number counts.
    """
    homes = {utterance.id: place for place, group in enumerate(groups) for utterance in group}
    left = set(range(len(groups)))
    kept = {}
    for number, slabs in sorted(before.items()):
        rows = {utterance.id: utterance for slab in slabs for utterance in slab}
        places = {homes.get(name, -1) for name in rows}  # -1 is never left
        if places <= left and rows == {row.id: row for place in places for row in groups[place]}:
            kept[number] = slabs
            left -= places
    return kept, [groups[place] for place in sorted(left)]


def cut_shards(groups: Sequence[Group], shard_minutes: float, slab_minutes: float) -> list[Slabs]:
    """Shards of about `shard_minutes`, each a list of slabs of about `slab_minutes`.

    A shard holds whole speakers if they fit. A speaker with more speech than a shard is cut into consecutive pieces.
    Inside a shard, speakers are in order of name, and each speaker's utterances in time order.
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
    # Small pieces of a long speaker fill shards more evenly than pieces of almost a shard.
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
