"""Decodes slabs by Ray tasks, all systems in parallel; what was decoded before is read and not made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slab_decoding import decode_slab
from ssl_asr.decoding.slab_words import SlabWords, find_words, read_words
from ssl_asr.decoding.slabs import DecodedSlab, Slab, System, read_result
from ssl_asr.evaluation.reference_times import SlabToTime, Span, reference_times
from ssl_asr.evaluation.tuning import Grid, Tried, next_scales
from ssl_asr.progress import Progress
from ssl_asr.runtime import cluster

Made = TypeVar("Made")
Decoded = Mapping[str, Mapping[Scales, Sequence[DecodedSlab]]]  # by system; slabs in their order


@dataclass(frozen=True)
class Pieces:
    """Results of slabs, one for each system and its scales, and how many of them were there before."""

    total: int = 0
    kept: int = 0

    def __add__(self, other: Pieces) -> Pieces:
        return Pieces(self.total + other.total, self.kept + other.kept)


def tune(
    systems: Sequence[System], dev: Sequence[Slab], grid: Grid, rate: Callable[[Sequence[DecodedSlab]], float]
) -> tuple[dict[str, Tried], Pieces]:
    """Word error rates of every system with all scales that the search tries; `rate` scores the slabs of dev."""
    tried: dict[str, dict[Scales, float]] = {system.name: {} for system in systems}
    pieces = Pieces()
    while wanted := {each: scales for each in systems if (scales := next_scales(tried[each.name], grid))}:
        decoded, made = decode("tuning on dev", wanted, dev)
        pieces += made
        for name, by_scales in decoded.items():
            tried[name] |= {scales: rate(slabs) for scales, slabs in by_scales.items()}
    return dict(tried), pieces


def decode(what: str, wanted: Mapping[System, Sequence[Scales]], slabs: Sequence[Slab]) -> tuple[Decoded, Pieces]:
    """All slabs by each system with the scales that are wanted of it."""
    import ray  # only decoding needs it

    work = {
        (system, slab): _missing(system, slabs[slab], wanted[system])
        for system in wanted
        for slab in range(len(slabs))
    }
    todo = {piece: missing for piece, missing in work.items() if missing}
    progress = Progress(what, len(work), "slabs")
    progress.skip(len(work) - len(todo))
    remote = ray.remote(num_cpus=1)(decode_slab)
    wait_for([remote.remote(system, slabs[number], missing) for (system, number), missing in todo.items()], progress)
    total = len(slabs) * sum(map(len, wanted.values()))
    decoded = {
        system.name: {scales: read_decoded(system, slabs, scales) for scales in found}
        for system, found in wanted.items()
    }
    return decoded, Pieces(total, total - sum(map(len, todo.values())))


def words_of(
    what: str, wanted: Mapping[System, Scales], slabs: Sequence[Slab], beam: float
) -> dict[str, list[SlabWords]]:
    """By system, the times, posteriors and alternatives of the words of slabs that were decoded with these scales."""
    work = {system.name: [(system, slab, scales, beam) for slab in slabs] for system, scales in wanted.items()}
    return made_of_slabs(what, work, read_words, find_words)[0]


def times_of(what: str, wanted: Sequence[SlabToTime]) -> dict[str, list[Span]]:
    """When the words of these slabs were said, by recording."""
    import ray

    remote = ray.remote(num_cpus=1)(reference_times)
    references = [remote.remote(each) for each in wanted]
    wait_for(references, Progress(what, len(references), "slabs"))
    found: dict[str, list[Span]] = {}
    for reference in references:
        found |= cluster.result_of(reference)
    return found


def made_of_slabs(
    what: str,
    work: Mapping[str, Sequence[tuple[Any, ...]]],
    read: Callable[..., Made | None],
    make: Callable[..., object],
    *,
    before: Callable[[Sequence[tuple[Any, ...]]], None] = lambda todo: None,
) -> tuple[dict[str, list[Made]], Pieces]:
    """By system what `read` finds of each slab, once `make` has made in a task what it did not find.

    `work` has the arguments of both, by system; `before` gets those of the tasks before they begin.
    """
    import ray

    pieces = [piece for mine in work.values() for piece in mine]
    todo = [piece for piece in pieces if read(*piece) is None]
    progress = Progress(what, len(pieces), "slabs")
    progress.skip(len(pieces) - len(todo))
    before(todo)
    remote = ray.remote(num_cpus=1)(make)
    wait_for([remote.remote(*piece) for piece in todo], progress)
    found = {name: [read(*piece) for piece in mine] for name, mine in work.items()}
    assert all(None not in each for each in found.values()), "every slab was done"
    made = {name: [each for each in mine if each is not None] for name, mine in found.items()}
    return made, Pieces(len(pieces), len(pieces) - len(todo))


def wait_for(pending: Sequence[Any], progress: Progress) -> None:
    """Advance with every task that ends; the error of one that failed is raised."""
    import ray

    while pending:
        finished, pending = ray.wait(pending)
        cluster.result_of(finished[0])
        progress.advance()


def read_decoded(system: System, slabs: Sequence[Slab], scales: Scales) -> list[DecodedSlab]:
    """What `decode` has made."""
    found = [read_result(system, slab, scales) for slab in slabs]
    assert None not in found, "every slab was decoded"
    return [each for each in found if each is not None]


def _missing(system: System, slab: Slab, wanted: Sequence[Scales]) -> tuple[Scales, ...]:
    return tuple(scales for scales in wanted if read_result(system, slab, scales) is None)
