"""`ssl-asr inspect targets`: finds one utterance in a shard of targets and describes it in a line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssl_asr.corpus.augment.speed import recording_places, speed_of
from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.report.senone_names import SenoneNames, names_for
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.copies import label_rows
from ssl_asr.store.features import FeatureRow
from ssl_asr.store.layout import TARGETS, kind_of_store, parse_shard_uri, recipe_uri
from ssl_asr.store.ledger import Shard
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.targets import TargetRow
from ssl_asr.store.top_k_codec import SparseTargets

_TEACHER, _MEL_BINS = b"ssl_asr.parent.teacher", b"mel_bins"


@dataclass(frozen=True)
class Inspected:
    """One utterance: its features `frames` (float [10 ms frames, mel bins]) and the teacher's targets for it."""

    id: str
    speaker: str
    condition: str
    confidence: float
    frames: npt.NDArray[np.floating]
    targets: SparseTargets
    names: SenoneNames | None

    @property
    def seconds(self) -> float:
        return len(self.frames) * features.FRAME_SECONDS

    @property
    def largest(self) -> npt.NDArray[np.floating]:
        """The largest kept probability of each 30 ms frame [frames]."""
        return np.exp(self.targets.log_probs[:, 0])

    @property
    def entropy(self) -> npt.NDArray[np.floating]:
        """Entropy in nats [frames] of the kept probabilities, which sum to 1 where no tail is stored."""
        log_probs = self.targets.log_probs
        return -(np.exp(log_probs) * np.where(np.isfinite(log_probs), log_probs, 0)).sum(axis=1)

    def line(self) -> str:
        kept = np.isfinite(self.targets.log_probs).sum(axis=1).mean()
        return (
            f"{self.id}: {self.seconds:.2f} s, {len(self.targets.senones)} frames of 30 ms, {self.condition}, "
            f"confidence {self.confidence:.3f}, entropy {self.entropy.mean():.2f} nats, {kept:.3g} senones a frame"
        )


def look(uri: str, utterance: str | None = None) -> Inspected:
    """The utterance of the shard of targets at `uri`, or the first that has frames; ValueError as a sentence."""
    store, shard = target_shard(uri)
    teacher = _teacher_of(store, shard)
    frames, label = _find(store, shard, utterance)
    recipe_there = filesystem.exists(recipe_uri(store.root))
    names = names_for(open_recipe(store.root), teacher) if recipe_there else None
    return Inspected(
        frames.id, frames.speaker, frames.condition, label.confidence, frames.frames, label.targets, names
    )


def picture_name(utterance: str) -> str:
    """A safe file name for an id, which may contain slashes or other special characters."""
    return f"targets-{re.sub(r'[^A-Za-z0-9._-]+', '_', utterance)}.png"


def target_shard(uri: str) -> tuple[ShardStore, Shard]:
    """The store and the shard that a path or URI names: RUN/targets/SET/SPLIT/NUMBER.parquet."""
    found = parse_shard_uri(filesystem.absolute(uri))
    if found is None or kind_of_store(found[1]) != TARGETS:
        raise ValueError(f"{uri} is not a shard of targets; name one as RUN/targets/SET/unlabeled/000000.parquet")
    root, name, split, number = found
    return ShardStore(root, name), Shard(split, number)


def _teacher_of(store: ShardStore, shard: Shard) -> str:
    """The id of the teacher; ValueError where the shard does not hold targets."""
    uri = store.uri(shard)
    with store.open(shard) as file:
        metadata = file.schema_arrow.metadata or {}
        try:
            targets.codec_of(metadata)
        except ValueError as error:
            raise ValueError(f"{uri} holds no targets that this version reads ({error}); label it again") from error
    return metadata.get(_TEACHER, b"").decode()


def _find(store: ShardStore, shard: Shard, utterance: str | None) -> tuple[FeatureRow, TargetRow]:
    """The features of the utterance and its targets, of a copy those of its recording; only its slab is decoded."""
    uri, ids = store.uri(shard), []
    for slab, table in enumerate(store.read_slabs(shard, ["id", "num_frames"])):
        names, frames = (column.to_pylist() for column in table.columns)
        ids += names
        first = next((name for name, count in zip(names, frames, strict=True) if count), None)
        wanted = first if utterance is None else utterance
        if wanted not in names:
            continue
        rows, place = _features_rows(store.root, shard, slab, names), names.index(wanted)
        own = label_rows(names, [row.condition for row in rows])
        labelled = store.read_slab(shard, slab)
        label = targets.decode(labelled)[own[place]]
        if (tail := targets.tail_of(labelled.schema.metadata)) is not None:
            label = replace(label, targets=targets.without_tail(label.targets, tail))
        if not len(label.targets.senones):
            raise ValueError(f"utterance '{utterance}' of {uri} is too short for a frame of 30 ms; name another")
        return rows[place], replace(label, targets=_in_time_of(rows[place], rows[own[place]], label.targets))
    raise ValueError(_unknown(uri, ids, utterance))


def _in_time_of(row: FeatureRow, like: FeatureRow, kept: SparseTargets) -> SparseTargets:
    """The targets of `like`, which `row` was made from, in the time of `row`."""
    factor = speed_of(row.condition) / speed_of(like.condition)
    places = recording_places(stacked_length(len(row.frames)), len(kept.senones), factor)
    return SparseTargets(kept.senones[places], kept.log_probs[places])


def _unknown(uri: str, ids: list[str], utterance: str | None) -> str:
    if utterance is None or not ids:
        return f"{uri} holds no utterance with at least one frame; name another shard"
    near = difflib.get_close_matches(utterance, ids, 1)
    fix = f"did you mean '{near[0]}'?" if near else f"it holds {len(ids)}, the first of them '{ids[0]}'"
    return f"{uri} holds no utterance '{utterance}'; {fix}"


def _features_rows(run: str, shard: Shard, slab: int, utterances: list[str]) -> list[FeatureRow]:
    """The features of the slab; ValueError if their shard is missing or holds others than these utterances."""
    store = ShardStore(run, features.STORE)
    table = store.read_slab(shard, slab)
    rows = features.decode(table, int(table.schema.metadata[_MEL_BINS]))
    if utterances != [row.id for row in rows]:
        raise ValueError(
            f"{store.uri(shard)} slab {slab} does not hold the utterances of the targets beside it; "
            "run the stages frontend and labelling again"
        )
    return rows
