"""An utterance and the manifest that lists them, shard by shard.

The manifest is a store like the others (`manifest/<split>/000000.parquet`): the shards and slabs cut here are
those of every later store. Splits are "labeled", "unlabeled", "dev" and "test".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
import pyarrow as pa

from ssl_asr.store.layout import MANIFEST

STORE = MANIFEST
SPLITS = ("labeled", "unlabeled", "dev", "test")
CLEAN = "clean"
CONVERSATION = "conversation"  # of simulated conversations, which are in no manifest
OTHER_CHANNEL = "other"  # tag `channel` of a test set that was recorded differently from most of the labeled speech

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("recording", pa.string()),
        ("audio", pa.string()),
        ("offset", pa.float64()),
        ("duration", pa.float64()),
        ("channel", pa.int16()),
        ("speaker", pa.string()),
        ("order", pa.int64()),
        ("condition", pa.string()),
        ("text", pa.string()),
        ("tags", pa.map_(pa.string(), pa.string())),
    ]
)


_VALUES = attrgetter(*SCHEMA.names)


@dataclass(frozen=True)
class Utterance:
    """A segment of one channel of one audio file.

    `offset` and `duration` are seconds; `order` is the utterance's place in its speaker's time order.
    `condition` is what the front end does to the audio: "clean" (nothing: as recorded) or a simulated one such
    as "babble-10" (decibels of signal to noise), "effects-5", "room", "speed-0.9" (which lasts `duration` / 0.9). A
    degraded copy has its own id, `<recording>@<condition>`, and `recording` names the utterance it was made from. For
    other utterances `recording` equals `id`. `text` is None where it is not known; that of unlabeled data is for the
    topline alone. `tags` are for reports and to tell groups of speakers apart: {"set": "bob", "channel": "other"}.
    """

    id: str
    audio: str
    speaker: str
    order: int
    duration: float
    offset: float = 0.0
    channel: int = 0
    condition: str = CLEAN
    text: str | None = None
    recording: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.recording:
            object.__setattr__(self, "recording", self.id)


def encode(utterances: Sequence[Utterance], tags: Mapping[str, str] | None = None) -> pa.Table:
    """Rows of the manifest. `tags` are those of utterances that have no others of the same names."""
    if not utterances:
        return SCHEMA.empty_table()
    columns = dict(zip(SCHEMA.names, zip(*map(_VALUES, utterances), strict=True), strict=True))
    columns["tags"] = _tags(columns["tags"], tags or {})
    return pa.table(columns, schema=SCHEMA)


def _tags(own: Sequence[Mapping[str, str]], common: Mapping[str, str]) -> list[list[tuple[str, str]]] | pa.Array:
    if any(own):
        return [sorted({**common, **each}.items()) for each in own]
    # Arrow takes as long for mappings of Python as for all other columns together.
    count, names = len(own), sorted(common)
    offsets = np.arange(count + 1, dtype=np.int32) * len(names)
    return pa.MapArray.from_arrays(
        offsets, pa.array(names * count, pa.string()), pa.array([common[name] for name in names] * count, pa.string())
    )


def decode(table: pa.Table) -> list[Utterance]:
    return [Utterance(**{**row, "tags": dict(row["tags"])}) for row in table.to_pylist()]
