"""The figures of the hmm stage's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssl_asr.hmm.imported import read_index
from ssl_asr.hmm.senones import SenoneSet
from ssl_asr.hmm.text_counts import total_counts
from ssl_asr.lang.lexicon import read_lexicon
from ssl_asr.recipe import Recipe
from ssl_asr.store.ledger import LedgerEntry


def stage_figures(recipe: Recipe, senones: SenoneSet, labeled: Sequence[LedgerEntry]) -> dict[str, float | str]:
    def total(name: str) -> float:
        return float(sum(entry.statistics[name] for entry in labeled))

    return {
        "senones": float(senones.size),
        "senone_set": senones.id,
        "words": float(len(read_lexicon(recipe.run).words)),
        "log_likelihood_per_frame": total("log_likelihood") / max(total("fitted_frames"), 1.0),
        "silence_share": total("silent_frames") / sum(entry.frames for entry in labeled),
        "doubted_texts": float(total_counts(entry.statistics for entry in labeled).doubted),
        **({name: total(name) for name in ("imported", "not_imported")} if recipe.hmm.alignments else {}),
        **{f"unused_{kind}": float(count) for kind, count in unused_imports(recipe).items()},
    }


def unused_imports(recipe: Recipe) -> Mapping[str, int]:
    """How many imported alignments of labeled speech are not used, by kind."""
    index = read_index(recipe.run) if recipe.hmm.alignments else None
    return {} if index is None else index.unused
