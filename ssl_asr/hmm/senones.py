"""Senones: the output classes of the networks, one HMM state for each class of tied triphones at 30 ms."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe.identity import Inputs
from ssl_asr.store import filesystem
from ssl_asr.store.hmm_layout import senones_uri

SILENCE_SENONE = 0


@dataclass(frozen=True)
class SenoneSet:
    """`table` uint16 [left, centre, right] holds the senone of every triphone; those of silence are senone 0.

    `counts` float64 [senones] are the 30 ms frames of each in the labeled alignments. `realigned_by` is the id of the
    network that made these; it is empty if the flat start's model did.
    """

    phones: PhoneSet
    table: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.float64]
    realigned_by: str = ""

    def __post_init__(self) -> None:
        size = len(self.phones)
        if self.table.shape != (size, size, size):
            raise ValueError(
                f"a senone table is [phones, phones, phones]; this one has shape {self.table.shape} for {size} phones"
            )
        if (self.table[:, 0] != SILENCE_SENONE).any() or (self.table[:, 1:] == SILENCE_SENONE).any():
            raise ValueError("senone 0 stands for silence in every context, and for nothing else")
        if len(self.counts) <= self.table.max():
            raise ValueError(f"{len(self.counts)} counts for {self.table.max() + 1} senones")

    @property
    def size(self) -> int:
        return len(self.counts)

    @cached_property
    def id(self) -> str:
        """Content hash of phones and table: alignments and models name the set they belong to by it."""
        return table_id(self.phones, self.table)

    @property
    def alignment_set(self) -> str:
        """Names the alignments that the counts are of."""
        return f"{self.id}-{self.realigned_by}" if self.realigned_by else self.id

    def log_priors(self, floor: float = 1.0) -> npt.NDArray[np.float32]:
        """Log share of each senone's frames [senones]; a senone with fewer than `floor` frames counts as `floor`.

        Without a floor the division by the prior would let a senone without frames win every frame.
        """
        return log_shares(self.counts, floor)


def log_shares(counts: npt.NDArray[np.float64], floor: float = 1.0) -> npt.NDArray[np.float32]:
    """Log share of each senone's frames, as `SenoneSet.log_priors`."""
    floored = np.maximum(counts, floor)
    return np.log(floored / floored.sum()).astype(np.float32)


def table_id(phones: PhoneSet, table: npt.NDArray[np.uint16]) -> str:
    return hashlib.sha256(json.dumps(phones.names).encode() + table.astype("<u2").tobytes()).hexdigest()[:12]


def save_senones(run: str, senones: SenoneSet, inputs: Inputs | None = None) -> None:
    """`inputs` is what the set was made from."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        inputs=np.array(json.dumps(dict(inputs or {}), sort_keys=True)),
        phones=np.array(senones.phones.names),
        table=senones.table,
        counts=senones.counts,
        realigned_by=np.array(senones.realigned_by),
    )
    filesystem.write_if_changed(senones_uri(run), buffer.getvalue())


def load_senones(run: str) -> SenoneSet:
    """The run's senone set; ValueError naming the file if it is missing or damaged."""
    data = filesystem.read_bytes(senones_uri(run))
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            realigned_by = str(arrays["realigned_by"]) if "realigned_by" in arrays.files else ""
            return SenoneSet(
                PhoneSet(tuple(map(str, arrays["phones"]))), arrays["table"], arrays["counts"], realigned_by
            )
    except Exception as error:
        raise ValueError(
            f"{senones_uri(run)} is not a whole senone set ({error}); delete it and run the hmm stage"
        ) from error
