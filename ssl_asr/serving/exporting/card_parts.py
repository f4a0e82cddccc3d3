"""Parts of model cards, of whatever kind the recogniser is; in the form of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from ssl_asr.corpus.sources import OPEN_SPEECH
from ssl_asr.corpus.split_records import read_record
from ssl_asr.evaluation.error_rates import ALL, WordErrors
from ssl_asr.evaluation.table import rate
from ssl_asr.recipe import Recipe
from ssl_asr.serving.description import Description
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import source_uri

_SPLITS = ("labeled", "unlabeled", "dev", "test")
# What the product's own code and the open speech are under; the texts are printed by `ssl-asr corpus --licences`.
_CODE_LICENCE = "Apache-2.0"


def front_matter(
    recipe: Recipe, name: str, described: Description, tested: Sequence[WordErrors], tags: Sequence[str]
) -> str:
    """The YAML before the text, with the model's results on test; `tags` say what kind of recogniser it is."""
    english = {"language": "en"} if described.language == "en" else {}
    values = {
        **english,
        "license": "other",
        "library_name": "ssl_asr",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["automatic-speech-recognition", "streaming", *tags, "onnx"],
        "model-index": [
            {
                "name": f"{recipe.name}-{name}",
                "results": [_result(recipe.name, row) for row in _main_rows(tested)],
            }
        ],
    }
    return f"---\n{yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}---\n"


def _result(run: str, row: WordErrors) -> dict[str, Any]:
    return {
        "task": {"type": "automatic-speech-recognition", "name": "Speech Recognition"},
        "dataset": {
            "type": "custom",
            "name": f"{run}: {_named('set', row.set)}, {_named('condition', row.condition)}",
            "split": "test",
        },
        "metrics": [
            {
                "type": "wer",
                "name": "WER",
                "value": round(100 * row.wer, 1),
                "args": {"low_95": round(100 * row.low, 1), "high_95": round(100 * row.high, 1), "words": row.words},
            }
        ],
    }


def _named(kind: str, name: str) -> str:
    return f"all {kind}s" if name == ALL else f"{kind} {name}"


def _main_rows(tested: Sequence[WordErrors]) -> list[WordErrors]:
    """All speech, each condition of it, and each set in all conditions; of a single set once."""
    rows = [row for row in tested if ALL in (row.set, row.condition)]
    return sorted(rows, key=lambda row: (row.set != ALL, row.condition != ALL))


def engine_example(described: Description, opening: str = "") -> str:
    """The beginning of the section on use; `opening` is a comment on how the bundle is opened."""
    opened = f'engine = Engine.open("this-directory")       # {opening}'.removesuffix("       # ")
    return f"""\
## Use

```python
from ssl_asr.serving.engine import Engine

{opened}
stream = engine.stream()
for samples in pieces_of_audio:              # float32 [n] in [-1, 1], mono, {described.frontend.sample_rate} Hz
    for final in stream.accept(samples):
        print(final.text)
print(*(final.text for final in stream.finish()))
```
"""


def training_data(recipe: Recipe) -> str:
    """What it was trained and measured on."""
    lines = ["## Training data", "", "| split | hours | utterances | speakers |", "|---|---:|---:|---:|"]
    for split in _SPLITS:
        record = read_record(recipe.run, split)
        if record is not None:
            hours, speakers = record.seconds / 3600, record.speakers
            lines.append(f"| {split} | {hours:.2f} | {record.utterances:,} | {speakers:,} |")
    uri = source_uri(recipe.run)
    if filesystem.exists(uri):
        lines += ["", f"Source: {filesystem.read_bytes(uri).decode().strip().partition(' in /')[0]}."]
    return "\n".join([*lines, ""])


def errors_on_test(tested: Sequence[WordErrors]) -> list[str]:
    """Lines; none if the model was not tested."""
    if not tested:
        return []
    lines = ["In percent, with 95 % bootstrap intervals over recordings; on test, by torch in fp32:", ""]
    lines += ["| set | condition | words | WER % |", "|---|---|---:|---:|"]
    return [*lines, *(f"| {row.set} | {row.condition} | {row.words:,} | {rate(row)} |" for row in tested), ""]


def recipe_section(recipe: Recipe) -> str:
    """All values but places on the machine that trained."""
    values = recipe.model_dump(mode="json")
    for section, key in ((values, "run"), (values["corpus"], "cache")):
        section.pop(key)  # where they lie on the machine that trained
    text = yaml.safe_dump(values, sort_keys=False)
    return f"## Recipe\n\n```yaml\n{text}```\n"


def licences(recipe: Recipe, pronunciations: str) -> str:
    """Of code and speech, and where pronunciations are from."""
    corpus = recipe.corpus
    is_open = OPEN_SPEECH in (corpus.labeled, corpus.unlabeled)
    speech = (
        "The speech is from packages of Debian; `ssl-asr corpus demo --licences` prints the licence of each."
        if is_open
        else "The speech is the trainer's own; whether its licence allows you to use a model of it is not known here."
    )
    return f"## Licences\n\nThe code is under {_CODE_LICENCE}. {pronunciations} {speech}\n"
