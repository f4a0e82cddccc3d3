"""The README.md of a transducer's bundle: a model card in the form of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence

from ssl_asr.evaluation.error_rates import WordErrors
from ssl_asr.evaluation.table import rate
from ssl_asr.serving.description import ENCODER, JOINER, PREDICTOR, WEIGHTS, WORD_PIECES, TransducerDescription
from ssl_asr.serving.exporting.card_parts import (
    engine_example,
    errors_on_test,
    front_matter,
    licences,
    recipe_section,
    training_data,
)
from ssl_asr.serving.exporting.transducers.sources import TransducerSources

_PIECES = "Its word pieces were found in the\ntranscripts of the labeled speech."
_TALKERS = """
It recognises conversations in which up to {channels} turns are spoken at once: each result is a turn, with the output
channel that has it. It learned from simulated conversations alone.
"""


def transducer_card(
    sources: TransducerSources, described: TransducerDescription, split: str, rows: Sequence[WordErrors]
) -> str:
    """Markdown with YAML front matter; rates are in percent. `rows` are those of the exported networks on `split`."""
    parts = [
        front_matter(sources.recipe, sources.name, described, sources.tested, ("transducer", "semi-supervised")),
        _opening(sources, described),
        _use(described),
        training_data(sources.recipe),
        _word_errors(sources, split, rows),
        recipe_section(sources.recipe),
        licences(sources.recipe, _PIECES),
    ]
    return "\n".join(parts)


def _opening(sources: TransducerSources, described: TransducerDescription) -> str:
    spec = sources.model.spec
    english = " of English speech" if described.language == "en" else ""
    talkers = _TALKERS.format(channels=described.network.channels) if sources.conversing else ""
    return f"""\
# {sources.recipe.name}: {sources.name}

A streaming recogniser{english}, trained by ssl_asr: a transducer with an encoder of the kind `{spec.network.kind}`
({described.network.look_ahead * 30} ms of look-ahead), a predictor of the kind `{spec.predictor.kind}` and
{described.outputs:,} word pieces. It has no lexicon and no language model, so it may spell words that there are not.
{talkers}"""


def _use(described: TransducerDescription) -> str:
    return f"""\
{engine_example(described)}
The engine needs neither torch nor Ray. `bundle.json` says all that another program would need: the front end, the
look-ahead, the search, and the SHA-256 of every file but this card. {ENCODER}, {PREDICTOR} and {JOINER} are the
networks, {WEIGHTS} the weights as torch reads them, and {WORD_PIECES} the word pieces as sentencepiece reads them.
Words have the times at which they were emitted, somewhat after they were said.
"""


def _word_errors(sources: TransducerSources, split: str, rows: Sequence[WordErrors]) -> str:
    search = sources.search
    how = "the greedy search" if search.beam == 1 else f"a beam of {search.beam}"
    lines = ["## Word error rates", "", *errors_on_test(sources.tested)]
    on = f"simulated conversations of {split}" if sources.conversing else split
    lines += [f"The exported networks on {on}, in percent with 95 % intervals, by {how}:", ""]
    lines += [f"| set | condition | words | {sources.rate_name} % |", "|---|---|---:|---:|"]
    lines += [f"| {row.set} | {row.condition} | {row.words:,} | {rate(row)} |" for row in rows]
    return "\n".join([*lines, ""])
