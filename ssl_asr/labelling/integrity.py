"""Further integrity checks of targets: their columns agree, and every row matches the row of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ssl_asr.frontend.stacking import stacked_length
from ssl_asr.labelling.teachers import teacher_id
from ssl_asr.models.model_files import model_id
from ssl_asr.models.systems import teachers_of
from ssl_asr.recipe import Recipe
from ssl_asr.store import targets
from ssl_asr.store.copies import label_rows
from ssl_asr.store.integrity import Damage, SlabRows, check_same_rows
from ssl_asr.store.training_layout import model_uri


def senones_by_teacher(recipe: Recipe, outputs: Mapping[str, int]) -> dict[str, int]:
    """Number of senones by teacher id, for models and the recipe's ensemble; `outputs` are those of model files."""
    members = [model_uri(recipe.run, name) for name in teachers_of(recipe)]
    found = {model_id(uri): count for uri, count in outputs.items()}
    return found | ({teacher_id(recipe): outputs[members[0]]} if set(members) <= outputs.keys() else {})


def check_slab(table: pa.Table, senones: int | None) -> None:
    """Damage if columns of a slab of targets contradict each other, or name a senone that is not below `senones`."""
    k, _ = targets.codec_of(table.schema.metadata)
    frames = table["num_frames"].to_numpy()
    kept, entries = _flat(table["kept"]), _flat(table["senones"])
    if not np.array_equal(_lengths(table["kept"]), frames):
        raise Damage("has rows whose num_frames is not the length of kept")
    if len(kept) and not (kept.min() >= 1 and kept.max() <= k):
        raise Damage(f"has frames that keep {kept.min()} to {kept.max()} senones instead of 1 to {k}")
    ends = np.cumsum(frames, dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
    of_row = before[ends] - before[ends - frames]
    for name in ("senones", "rises"):
        if not np.array_equal(_lengths(table[name]), of_row):
            raise Damage(f"has rows in which the number of {name} is not the sum of kept")
    tail = targets.tail_of(table.schema.metadata)
    if tail is not None:
        if senones is not None and tail != senones:
            raise Damage(f"says that {tail} is the tail, but its teacher has {senones} senones")
        entries = entries[entries != tail]
    if senones is not None and len(entries) and entries.max() >= senones:
        raise Damage(f"names senone {entries.max()}, but its teacher has {senones}")


def check_beside(slabs: Sequence[SlabRows], feature_slabs: Sequence[SlabRows]) -> None:
    """Damage if rows of unlabeled speech do not match those of its features: a copy has no frames of its own.

    `slabs` are those of targets or of hypotheses.
    """
    check_same_rows(slabs, feature_slabs)
    for index, (slab, feature_slab) in enumerate(zip(slabs, feature_slabs, strict=True)):
        own = label_rows(feature_slab.ids, feature_slab.conditions)
        expected = [
            stacked_length(count) if own[row] == row else 0 for row, count in enumerate(feature_slab.frames.tolist())
        ]
        if slab.frames.tolist() != expected:
            raise Damage(f"has other 30 ms frames in slab {index} than its features make")


def _flat(column: pa.ChunkedArray) -> npt.NDArray:
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False)


def _lengths(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return pc.list_value_length(column).to_numpy().astype(np.int64)
