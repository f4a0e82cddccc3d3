"""The bundle's README.md: a model card in the form of the Hugging Face hub, with a `model-index`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from ssl_asr.corpus.sources import OPEN_SPEECH
from ssl_asr.corpus.split_records import read_record
from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.evaluation.results import ALL, WordErrors
from ssl_asr.evaluation.table import rate
from ssl_asr.lang.language import ENGLISH_LEXICON, GRAPHEMES
from ssl_asr.models.systems import BASELINE, STUDENT, TITLES, stage_of
from ssl_asr.serving.description import LEXICON, NETWORK, QUANTISED, WEIGHTS, Description
from ssl_asr.serving.exporting.measure import FULL, INT8, Measured
from ssl_asr.serving.exporting.sources import Sources
from ssl_asr.store import filesystem
from ssl_asr.store.corpus_layout import source_uri

_SPLITS = ("labeled", "unlabeled", "dev", "test")
# What the product's own code and the open speech are under; the texts are printed by `ssl-asr corpus --licences`.
_CODE_LICENCE = "Apache-2.0"


def model_card(sources: Sources, described: Description, measured: Measured) -> str:
    """Markdown with YAML front matter; rates are in percent."""
    front = yaml.safe_dump(_front_matter(sources, described), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{front}---\n",
        _opening(sources, described),
        _use(described),
        _data(sources),
        _word_errors(sources, measured),
        _limits(sources),
        _recipe(sources),
        _licences(sources),
    ]
    return "\n".join(parts)


def _front_matter(sources: Sources, described: Description) -> dict[str, Any]:
    recipe = sources.recipe
    english = {"language": "en"} if described.language == "en" else {}
    return {
        **english,
        "license": "other",
        "library_name": "ssl_asr",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["automatic-speech-recognition", "streaming", "hybrid-hmm", "semi-supervised", "onnx"],
        "model-index": [
            {
                "name": f"{recipe.name}-{sources.name}",
                "results": [_result(recipe.name, row) for row in _main_rows(sources)],
            }
        ],
    }


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


def _main_rows(sources: Sources) -> list[WordErrors]:
    """All speech, each condition of it, and each set in all conditions; of a single set once."""
    rows = [row for row in sources.tested if ALL in (row.set, row.condition)]
    return sorted(rows, key=lambda row: (row.set != ALL, row.condition != ALL))


def _opening(sources: Sources, described: Description) -> str:
    network = sources.model.spec.network
    english = " of English speech" if described.language == "en" else ""
    return f"""\
# {sources.recipe.name}: {TITLES.get(sources.name, sources.name)}

A streaming recogniser{english}, trained by ssl_asr: a network of the kind `{network.kind}` with
{described.network.senones} senones, {described.network.look_ahead * 30} ms of look-ahead, and a decoding graph of
{len(sources.words):,} words. {_learned(sources.name)}
"""


def _learned(model: str) -> str:
    if stage_of(model) == STUDENT:
        return (
            "A teacher that was trained on transcribed speech labelled every frame of speech without transcripts,\n"
            "and this student learned from both."
        )
    return "It was trained on transcribed speech only." if stage_of(model) == BASELINE else ""


def _use(described: Description) -> str:
    return f"""\
## Use

```python
from ssl_asr.serving.engine import Engine

engine = Engine.open("this-directory")       # {NETWORK}; quantised=True takes {QUANTISED}
stream = engine.stream()
for samples in pieces_of_audio:              # float32 [n] in [-1, 1], mono, {described.frontend.sample_rate} Hz
    for final in stream.accept(samples):
        print(final.text)
print(*(final.text for final in stream.finish()))
```

The engine needs neither torch nor Ray. `bundle.json` says all that another program would need: the front end, the
scales, and the SHA-256 of every file but this card. {WEIGHTS} holds the weights as torch reads them, and {LEXICON}
the pronunciations.
"""


def _data(sources: Sources) -> str:
    lines = ["## Training data", "", "| split | hours | utterances | speakers |", "|---|---:|---:|---:|"]
    for split in _SPLITS:
        record = read_record(sources.recipe.run, split)
        if record is not None:
            hours, speakers = record.seconds / 3600, record.speakers
            lines.append(f"| {split} | {hours:.2f} | {record.utterances:,} | {speakers:,} |")
    uri = source_uri(sources.recipe.run)
    if filesystem.exists(uri):
        lines += ["", f"Source: {filesystem.read_bytes(uri).decode().strip().partition(' in /')[0]}."]
    return "\n".join([*lines, ""])


def _word_errors(sources: Sources, measured: Measured) -> str:
    lines = ["## Word error rates", ""]
    if sources.tested:
        lines += ["In percent, with 95 % bootstrap intervals over recordings; on test, by torch in fp32:", ""]
        lines += ["| set | condition | words | WER % |", "|---|---|---:|---:|"]
        lines += [f"| {row.set} | {row.condition} | {row.words:,} | {rate(row)} |" for row in sources.tested]
        lines += [""]
    lines += [
        f"The exported networks on {measured.split}. The errors of int8 relative to those of fp32: "
        f"{more_errors(measured.reduction)}.",
        "",
        "| set | condition | words | fp32 WER % | int8 WER % |",
        "|---|---|---:|---:|---:|",
        *_beside(measured.rows),
        "",
    ]
    return "\n".join(lines)


def more_errors(reduction: Interval) -> str:
    """ "+0.5 % [-1.2, +2.3]" of a reduction of errors."""
    return f"{-100 * reduction.value:+z.1f} % [{-100 * reduction.high:+z.1f}, {-100 * reduction.low:+z.1f}]"


def _beside(rows: Sequence[WordErrors]) -> list[str]:
    by_cell = {(row.system, row.set, row.condition): row for row in rows}
    full = [row for row in rows if row.system == FULL]
    pairs = [(row, by_cell[INT8, row.set, row.condition]) for row in full]
    return [f"| {a.set} | {a.condition} | {a.words:,} | {rate(a)} | {rate(b)} |" for a, b in pairs]


def _limits(sources: Sources) -> str:
    return f"""\
## Limits

It knows {len(sources.words):,} words; {100 * sources.results.oov_rate:.1f} % of the test words are not among them.
Speech unlike the training speech has more errors than the table says.
"""


def _recipe(sources: Sources) -> str:
    values = sources.recipe.model_dump(mode="json")
    for section, key in ((values, "run"), (values["corpus"], "cache")):
        section.pop(key)  # where they lie on the machine that trained
    text = yaml.safe_dump(values, sort_keys=False)
    return f"## Recipe\n\n```yaml\n{text}```\n"


def _licences(sources: Sources) -> str:
    corpus = sources.recipe.corpus
    is_open = OPEN_SPEECH in (corpus.labeled, corpus.unlabeled)
    speech = (
        "The speech is from packages of Debian; `ssl-asr corpus demo --licences` prints the licence of each."
        if is_open
        else "The speech is the trainer's own; whether its licence allows you to use a model of it is not known here."
    )
    lexicon = {
        ENGLISH_LEXICON: "Pronunciations are from cmudict (BSD) and, for other\nwords, from a model of it.",
        GRAPHEMES: "Words are pronounced\nas they are spelled.",
    }.get(
        sources.recipe.hmm.lexicon,
        "Pronunciations are from the\ntrainer's own lexicon and, for other words, from a model of it.",
    )
    return f"## Licences\n\nThe code is under {_CODE_LICENCE}. {lexicon} {speech}\n"
