"""Where every speaker starts from: the corpus mean and level, in `features/prior.json`.

They are the plain mean and the level of one labeled shard, the first one when they were measured. They are made
before any shard of features, and the streaming recogniser begins its speakers with them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.energy_floor import level_of
from ssl_asr.frontend.extract import ExtractedUtterance, Extractor
from ssl_asr.frontend.parents import VERSION
from ssl_asr.frontend.statistics import sums_of
from ssl_asr.frontend.streams import raise_floors
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, non_defaults
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.layout import prior_uri
from ssl_asr.store.ledger import Shard, checksum
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class Prior:
    """Mean LFBE [mel bins] over `frames` 10 ms frames, above their floor; `level` is the log of their mean power.

    `inputs` is what it was made with.
    """

    mean: tuple[float, ...]
    level: float
    frames: int
    inputs: Mapping[str, str]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @cached_property  # asked for once a shard
    def id(self) -> str:
        return checksum(self.to_json())

    def array(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.mean)


def read_prior(run: str) -> Prior:
    """ValueError naming the file if it is missing or damaged."""
    with _damage_named(prior_uri(run)) as values:
        return Prior(tuple(values["mean"]), values["level"], values["frames"], values["inputs"])


def made_with(run: str) -> Inputs | None:
    """What the run's prior was made with; None where there is none. The priors of other versions say it too."""
    if not filesystem.exists(prior_uri(run)):
        return None
    with _damage_named(prior_uri(run)) as values:
        return dict(values["inputs"])


@contextmanager
def _damage_named(uri: str) -> Iterator[dict[str, Any]]:
    """The values of the file, to be read inside."""
    try:
        yield json.loads(filesystem.read_bytes(uri))
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{uri} is damaged ({error}); delete it and run the frontend stage again") from error


def prior_inputs(recipe: Recipe) -> dict[str, str]:
    """What the prior of given speech depends on. The speech itself is no part: see `stage.prior_of_today`."""
    return {"version": VERSION, **non_defaults(recipe, "features")}


def measure_prior(recipe: Recipe, shards: Sequence[Shard]) -> Prior:
    """Measure and publish the prior on the first of `shards` that has usable audio; ValueError where none has."""
    manifest = ShardStore(recipe.run, utterance.STORE)
    reason = "there is no labeled shard"
    for shard in shards:
        slabs = manifest.read_slabs(shard)
        extracted, rejects = Extractor(recipe, shard.split).all_frames(
            item for slab in slabs for item in utterance.decode(slab)
        )
        if extracted:
            prior = _prior_of(extracted, recipe)
            filesystem.write_bytes(prior_uri(recipe.run), prior.to_json())
            return prior
        reason = rejects[0].reason if rejects else f"{manifest.uri(shard)} is empty"
    raise ValueError(f"no labeled audio can be used, so there is no corpus mean: {reason}")


def _prior_of(extracted: Sequence[ExtractedUtterance], recipe: Recipe) -> Prior:
    level = level_of([item.frames for item in extracted])
    floored = raise_floors(extracted, level, recipe.frontend)
    sums = sums_of((item.frames for item in floored), recipe.frontend.mel_bins)
    return Prior(tuple((sums.sum / sums.count).tolist()), level, sums.count, prior_inputs(recipe))
