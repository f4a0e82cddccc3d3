"""What each system recognised, beside what was said: `decoding/hypotheses/<system>.jsonl`, a line an utterance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ssl_asr.decoding.slabs import DecodedSlab
from ssl_asr.evaluation.cells import set_of
from ssl_asr.evaluation.word_files import Confidences
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import hypotheses_uri
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class Transcript:
    """`reference` is None where no text is known; `error` says why there is no hypothesis.

    `confidences` are of the hypothesis's words, None where one is not known; there are none without lattices.
    `speaker` and `tags` are written where no manifest has them.
    """

    id: str
    set: str
    condition: str
    reference: str | None
    hypothesis: str
    error: str = ""
    confidences: tuple[float | None, ...] = ()
    speaker: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def write_transcripts(
    run: str,
    system: str,
    decoded: Iterable[DecodedSlab],
    references: Mapping[str, Utterance],
    confidences: Confidences | None = None,
) -> None:
    known = {} if confidences is None else {name: tuple(found) for name, found in confidences.items()}
    found = [
        Transcript(
            each.id,
            set_of(said),
            said.condition,
            said.text,
            " ".join(each.words),
            each.error,
            known.get(each.id, ()),
        )
        for slab in decoded
        for each in slab.hypotheses
        for said in [references[each.id]]
    ]
    filesystem.write_bytes(hypotheses_uri(run, system), "".join(map(line_of, found)).encode())


def read_transcripts(run: str, system: str) -> list[Transcript]:
    """In the order of the test split; ValueError naming the file if there is none."""
    lines = filesystem.read_bytes(hypotheses_uri(run, system)).decode().splitlines()
    return [_parsed(json.loads(line)) for line in lines]


def _parsed(values: dict[str, Any]) -> Transcript:
    return Transcript(**{**values, "confidences": tuple(values.get("confidences", ()))})


def line_of(transcript: Transcript) -> str:
    optional = {"error", "confidences", "speaker", "tags"}
    values = {name: value for name, value in asdict(transcript).items() if value or name not in optional}
    return json.dumps(values) + "\n"
