"""The corpus mean that every speaker's running mean begins at: `features/prior.json`.

It is the plain mean of the first labeled shard. Made before any shard of features, and known to the streaming
recogniser, which begins its speakers alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from ssl_asr.frontend.extract import Extractor
from ssl_asr.frontend.statistics import sums_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import filesystem, utterance
from ssl_asr.store.layout import prior_uri
from ssl_asr.store.ledger import LedgerEntry, Shard, checksum
from ssl_asr.store.shards import ShardStore


@dataclass(frozen=True)
class Prior:
    """Mean LFBE [mel bins] over `frames` 10 ms frames; `parents` as in a ledger entry."""

    mean: tuple[float, ...]
    frames: int
    parents: Mapping[str, str]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @property
    def id(self) -> str:
        return checksum(self.to_json())

    def array(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.mean)


def read_prior(run: str) -> Prior:
    """ValueError naming the file where there is none or it is damaged."""
    uri = prior_uri(run)
    try:
        values = json.loads(filesystem.read_bytes(uri))
        return Prior(tuple(values["mean"]), values["frames"], values["parents"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{uri} is damaged ({error}); delete it and run the frontend stage again") from error


def prior_parents(recipe: Recipe, first: LedgerEntry) -> dict[str, str]:
    """What the prior is made from; `first` is the manifest's entry of the first labeled shard."""
    return {"manifest": first.checksum, "recipe": recipe.key("corpus", "frontend")}


def measure_prior(recipe: Recipe, shards: Sequence[Shard], parents: Mapping[str, str]) -> Prior:
    """Measure and publish the prior on the first of `shards` that can be heard; ValueError where none can."""
    manifest = ShardStore(recipe.run, utterance.STORE)
    reason = "there is no labeled shard"
    for shard in shards:
        slabs = manifest.read_slabs(shard)
        heard, rejects = Extractor(recipe, shard.split).all_frames(
            item for slab in slabs for item in utterance.decode(slab)
        )
        if heard:
            sums = sums_of((item.frames for item in heard), recipe.frontend.mel_bins)
            prior = Prior(tuple((sums.sum / sums.count).tolist()), sums.count, dict(parents))
            filesystem.write_bytes(prior_uri(recipe.run), prior.to_json())
            return prior
        reason = rejects[0].reason if rejects else f"{manifest.uri(shard)} is empty"
    raise ValueError(f"no labeled audio can be used, so there is no corpus mean: {reason}")
