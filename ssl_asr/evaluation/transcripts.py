"""What each system recognised, beside what was said: `decoding/hypotheses/<system>.jsonl`, a line an utterance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ssl_asr.decoding.slabs import DecodedSlab
from ssl_asr.evaluation.cells import set_of
from ssl_asr.store import filesystem
from ssl_asr.store.layout import hypotheses_uri
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class Transcript:
    """`reference` is None where no text is known; `error` says why there is no hypothesis."""

    id: str
    set: str
    condition: str
    reference: str | None
    hypothesis: str
    error: str = ""


def write_transcripts(
    run: str, system: str, decoded: Iterable[DecodedSlab], references: Mapping[str, Utterance]
) -> None:
    found = [
        Transcript(each.id, set_of(said), said.condition, said.text, " ".join(each.words), each.error)
        for slab in decoded
        for each in slab.hypotheses
        for said in [references[each.id]]
    ]
    filesystem.write_bytes(hypotheses_uri(run, system), "".join(map(_line, found)).encode())


def read_transcripts(run: str, system: str) -> list[Transcript]:
    """In the order of the test split; ValueError naming the file if there is none."""
    lines = filesystem.read_bytes(hypotheses_uri(run, system)).decode().splitlines()
    return [Transcript(**json.loads(line)) for line in lines]


def _line(transcript: Transcript) -> str:
    values = asdict(transcript)
    if not transcript.error:
        del values["error"]
    return json.dumps(values) + "\n"
