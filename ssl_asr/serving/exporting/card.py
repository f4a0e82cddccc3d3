"""The bundle's README.md: a model card in the form of the Hugging Face hub, with a `model-index`."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.evaluation.bootstrap import Interval
from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.table import rate
from ssl_asr.lang.language import ENGLISH_LEXICON, GRAPHEMES
from ssl_asr.models.systems import BASELINE, STUDENT, TITLES, is_adapted, stage_of
from ssl_asr.recipe import Recipe
from ssl_asr.serving.description import LEXICON, NETWORK, QUANTISED, WEIGHTS, SenoneDescription
from ssl_asr.serving.exporting.card_parts import (
    engine_example,
    errors_on_test,
    front_matter,
    licences,
    recipe_section,
    training_data,
)
from ssl_asr.serving.exporting.measure import FULL, INT8, Measured
from ssl_asr.serving.exporting.sources import Sources


def model_card(sources: Sources, described: SenoneDescription, measured: Measured) -> str:
    """Markdown with YAML front matter; rates are in percent."""
    parts = [
        front_matter(sources.recipe, sources.name, described, sources.tested, ("hybrid-hmm", "semi-supervised")),
        _opening(sources, described),
        _use(described),
        training_data(sources.recipe),
        _word_errors(sources, measured),
        _limits(sources),
        recipe_section(sources.recipe),
        licences(sources.recipe, _pronunciations(sources.recipe)),
    ]
    return "\n".join(parts)


def _opening(sources: Sources, described: SenoneDescription) -> str:
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
    if is_adapted(model):
        return "A model of this run was trained on for speakers whom it understood worse than others."
    return "It was trained on transcribed speech only." if stage_of(model) == BASELINE else ""


def _use(described: SenoneDescription) -> str:
    return f"""\
{engine_example(described, f"{NETWORK}; quantised=True takes {QUANTISED}")}
The engine needs neither torch nor Ray. `bundle.json` says all that another program would need: the front end, the
scales, and the SHA-256 of every file but this card. {WEIGHTS} holds the weights as torch reads them, and {LEXICON}
the pronunciations.
"""


def _word_errors(sources: Sources, measured: Measured) -> str:
    lines = ["## Word error rates", ""]
    lines += errors_on_test(sources.tested)
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


def _pronunciations(recipe: Recipe) -> str:
    return {
        ENGLISH_LEXICON: "Pronunciations are from cmudict (BSD) and, for other\nwords, from a model of it.",
        GRAPHEMES: "Words are pronounced\nas they are spelled.",
    }.get(
        recipe.hmm.lexicon,
        "Pronunciations are from the\ntrainer's own lexicon and, for other words, from a model of it.",
    )
