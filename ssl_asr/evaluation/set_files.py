"""The files of results on transcribed speech: figures, and what was recognised in each utterance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from ssl_asr.evaluation.cells import set_of
from ssl_asr.evaluation.set_results import SetResults, Words
from ssl_asr.evaluation.transcribed_set import TranscribedSet
from ssl_asr.evaluation.transcripts import Transcript, line_of
from ssl_asr.store import filesystem
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

RESULTS, REJECTS, HYPOTHESES = "results.json", "rejects.jsonl", "hypotheses"


def write_set_files(
    folder: str,
    *,
    results: SetResults,
    spoken: TranscribedSet,
    systems: Mapping[str, Words],
    rejects: Sequence[Reject],
) -> None:
    """Write `hypotheses/<system>.jsonl`, what was left out, and at last `results.json`, in place of older ones."""
    for name, words in systems.items():
        lines = [line_of(transcript_of(each, words)) for each in spoken.utterances if each.id in words]
        filesystem.write_bytes(filesystem.join(folder, HYPOTHESES, f"{name}.jsonl"), "".join(lines).encode())
    rejected = "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in rejects)
    filesystem.write_bytes(filesystem.join(folder, REJECTS), rejected.encode())
    filesystem.write_bytes(filesystem.join(folder, RESULTS), (json.dumps(asdict(results), indent=1) + "\n").encode())


def transcript_of(said: Utterance, words: Words) -> Transcript:
    """With the speaker and the tags, by which `ssl-asr cohorts` can group it."""
    recognised = (said.text, " ".join(words[said.id]))
    return Transcript(said.id, set_of(said), said.condition, *recognised, speaker=said.speaker, tags=dict(said.tags))
