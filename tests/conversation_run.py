"""A finished small run, and a recipe with a small separator-transducer-segmenter for it."""

from __future__ import annotations

import pytest

from ssl_asr.recipe import Recipe, parse_recipe

NETWORK = {"kind": "separator", "units": 6, "width": 5}
LAYERS = {"mixture_layers": 1, "separation_layers": 1, "recogniser_layers": 1}
SMALL = {
    "network": NETWORK | LAYERS,
    "predictor": {"units": 8, "embedding": 4},
    "joiner": 8,
    "word_pieces": 14,
    "sub_epochs": 3,
    "unlabeled_passes": 0,
    "search": {"max_symbols": 4},  # random weights may put out labels without end
}
CONVERSATIONS = {"turns": [1, 2], "pause_seconds": [0.0, 0.1]}


def with_conversations(recipe: Recipe, others: dict[str, object] | None = None, **changes: object) -> Recipe:
    """`changes` are of the transducer's conversations, `others` of itself."""
    settings = {**SMALL, "conversations": CONVERSATIONS | changes, **(others or {})}
    return parse_recipe(recipe.model_dump(mode="json") | {"transducers": {"sts": settings}})


@pytest.fixture
def conversation_recipe(finished_run: Recipe) -> Recipe:
    return with_conversations(finished_run)
