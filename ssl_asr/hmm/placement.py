"""The flat start's chunks as Ray tasks. Worker processes cache their chunks, so later iterations only compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError
from threadpoolctl import threadpool_limits

from ssl_asr.hmm.chunks import ChunkSource, readable_chunk
from ssl_asr.hmm.flat_start import MapChunks


def on_ray(sources: Sequence[ChunkSource]) -> MapChunks:
    """A map over the chunks of `sources`; ValueError of a task is raised here."""

    def map_chunks(function: Callable[..., Any], *arguments: Any) -> list[Any]:
        shared = [ray.put(argument) for argument in arguments]
        try:
            return ray.get([_apply.remote(function, source, *shared) for source in sources])
        except RayTaskError as error:
            raise error.cause from None

    return map_chunks


@ray.remote(num_cpus=1)
def _apply(function: Callable[..., Any], source: ChunkSource, *arguments: Any) -> Any:
    # One thread a task: there are enough tasks for all cores, and sums are the same on every machine.
    with threadpool_limits(1):
        return function(readable_chunk(source), *arguments)
