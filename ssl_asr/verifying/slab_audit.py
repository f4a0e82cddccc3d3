"""Audits that every slab was trained on exactly once a phase: compares a schedule with the accounts of its blocks."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ssl_asr.training.checkpoints.accounting import BlockAccount
from ssl_asr.training.data.sources import SourceName
from ssl_asr.training.schedule import Phase

Positions = npt.NDArray[np.int64]
# At most so many ranges of positions in a sentence, and so many sentences for a model.
MOST_NAMED, MOST_SAID = 4, 8


@dataclass(frozen=True)
class Audit:
    """Number of `slabs` trained on, number of `phases` that have begun, and problems, each a part of a sentence.

    `dropped` counts contributions of workers, of a block or step, that were left out because they were not finite.
    """

    slabs: int
    phases: int
    problems: tuple[str, ...]
    dropped: int = 0


def audit(
    schedule: Sequence[Phase],
    sizes: Mapping[SourceName, int],
    accounts: Iterable[BlockAccount],
    *,
    finished: bool = False,
) -> Audit:
    """Whether all positions of all phases, up to the last account unless `finished`, were trained on exactly once.

    Accounts are in order of block number. `sizes` are the numbers of slabs of each source. So many positions make one
    pass over the source, and no slab may occur twice in a pass.
    """
    trained = _Trained(schedule, sizes)
    for account in accounts:
        trained.add(account)
    problems = [*trained.problems, *trained.miscounted(finished)]
    more = len(problems) - MOST_SAID
    said = [*problems[:MOST_SAID], f"{more:,} more problems of this kind"] if more > 0 else problems
    return Audit(sum(map(len, trained.seen.values())), len(trained.seen), tuple(said), trained.dropped)


class _Trained:
    """What was trained according to the accounts, collected by phase and, for each pass over a source, by slab."""

    def __init__(self, schedule: Sequence[Phase], sizes: Mapping[SourceName, int]) -> None:
        self.schedule, self.sizes = schedule, sizes
        self.seen: dict[int, array[int]] = {}
        self.problems: list[str] = []
        self.dropped = 0
        self._places: dict[tuple[SourceName, int], dict[str, int]] = {}
        self._block = 0
        self._reached = (0, 0)  # the phase of the last account, and the position behind it

    def add(self, account: BlockAccount) -> None:
        if account.block != self._block + 1:
            gap = range(self._block + 1, account.block)
            self.problems.append(f"block{'s' if len(gap) > 1 else ''} {_span_text(gap)} without an account")
        self._block = account.block
        self.dropped += account.dropped
        if account.phase >= len(self.schedule) or account.source != self.schedule[account.phase].source:
            self.problems.append(f"block {account.block} is of phase {account.phase}, which is not in the schedule")
            return
        self._reached = max(self._reached, (account.phase, account.first + account.count))
        self._forget_passes_before(account.source, account.first // self.sizes[account.source])
        seen = self.seen.setdefault(account.phase, array("q"))
        for assignment in account.assignments:
            seen.extend(assignment.positions)
            for position, slab in zip(assignment.positions, assignment.slabs, strict=True):
                self._place(account, position, slab)

    def _forget_passes_before(self, source: SourceName, sweep: int) -> None:
        """Frees the slab names of earlier passes, which take most of the memory; the positions are kept."""
        for key in [key for key in self._places if key[0] == source and key[1] < sweep]:
            del self._places[key]

    def _place(self, account: BlockAccount, position: int, slab: str) -> None:
        sweep = position // self.sizes[account.source]
        before = self._places.setdefault((account.source, sweep), {}).setdefault(slab, position)
        if before != position:  # the same position twice is a matter of its phase
            self.problems.append(
                f"{slab} was trained on twice in pass {sweep} over the {account.source} slabs, at positions {before} "
                f"and {position} (block {account.block})"
            )

    def miscounted(self, finished: bool) -> Iterator[str]:
        """Problems of every phase that should be trained by now: positions that were never or too often trained."""
        if not self._block:
            yield from ["there is no account of any block"] if finished else []
            return
        phase, behind = self._reached
        for index, each in enumerate(self.schedule if finished else self.schedule[: phase + 1]):
            end = each.first + each.count
            until = end if finished or index < phase else min(behind, end)
            seen, times = np.unique(np.array(self.seen.get(index, ()), np.int64), return_counts=True)
            where = f"phase {index} ({each.source})"
            if len(missing := _gaps(seen[(seen >= each.first) & (seen < until)], each.first, until)):
                yield f"{where}: {_positions(missing)} never trained on"
            if len(twice := _runs(seen[times > 1])):
                yield f"{where}: {_positions(twice)} trained on more than once"
            if len(unexpected := _runs(seen[(seen < each.first) | (seen >= until)])):
                yield f"{where}: {_positions(unexpected)} trained on, but not part of the phase"


def _gaps(seen: Positions, first: int, end: int) -> list[range]:
    """The ranges between `first` and `end` that the ascending `seen` leaves out."""
    edges = [first - 1, *seen.tolist(), end]
    return [range(low + 1, high) for low, high in pairwise(edges) if high - low > 1]


def _runs(seen: Positions) -> list[range]:
    """Ascending numbers as ranges."""
    parts = np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1)
    return [range(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _positions(spans: Sequence[range]) -> str:
    """The number of positions, and the first ranges of them, as text."""
    count = sum(map(len, spans))
    named = ", ".join(map(_span_text, spans[:MOST_NAMED])) + (", ..." if len(spans) > MOST_NAMED else "")
    return f"{count:,} slab{'s' if count > 1 else ''} (position{'s' if count > 1 else ''} {named})"


def _span_text(span: range) -> str:
    return str(span[0]) if len(span) == 1 else f"{span[0]} to {span[-1]}"
