"""Flat start and senone table of a run: made once for the same features and lexicon, kept in the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ssl_asr.hmm.chunks import ChunkSource
from ssl_asr.hmm.flat_model import FlatModel, read_model, write_model
from ssl_asr.hmm.flat_start import MapChunks, flat_start
from ssl_asr.hmm.import_stage import imported_inputs
from ssl_asr.hmm.imported import KEY, ImportIndex
from ssl_asr.hmm.lexicon_stage import pronunciation_inputs
from ssl_asr.hmm.phone_clusters import clustered_questions
from ssl_asr.hmm.senones import table_id
from ssl_asr.hmm.tree import TriphoneTotals, grow_table, merge, read_table, triphone_totals, write_table
from ssl_asr.hmm.trusted import trusted_model, trusted_totals
from ssl_asr.lang.language import language_of
from ssl_asr.lang.lexicon import read_phones
from ssl_asr.lang.phones import PhoneSet
from ssl_asr.recipe import Hmm, Recipe
from ssl_asr.recipe.identity import digest, inputs_key, non_defaults
from ssl_asr.store import features
from ssl_asr.store.hmm_layout import flat_start_uri, tree_uri
from ssl_asr.store.ledger import LedgerEntry
from ssl_asr.store.shards import ShardStore

# Raise where equal inputs give another model or table.
FLAT_START_VERSION, SENONES_VERSION = "2", "1"
# 10 ms frames for flat start and tree, sampled evenly: 30 h are enough for a few hundred Gaussians.
MOST_FRAMES = 30 * 3600 * 100
# The first iterations use a third of the frames, if that is at least a quarter of an hour.
EARLY_SHARE = 3
LEAST_EARLY_FRAMES = 15 * 60 * 100


@dataclass(frozen=True)
class HmmInputs:
    """What the flat start's model is made from, what the senone table is, and what else labeled alignments are."""

    flat_start: dict[str, str]
    senones: dict[str, str]
    labeled: dict[str, str]

    @property
    def imported(self) -> str:
        """Content of the imported alignments; empty without any."""
        return self.flat_start.get(KEY, "")

    @cached_property  # asked for once a shard
    def flat_start_key(self) -> str:
        return inputs_key(self.flat_start)


@dataclass(frozen=True)
class Trained:
    """`curve`: log-likelihood a frame by iteration; `table`: senone of (left, centre, right)."""

    model: FlatModel
    curve: Sequence[float]
    phones: PhoneSet
    table: npt.NDArray[np.uint16]
    inputs: HmmInputs

    @cached_property  # asked for once a shard
    def senone_set(self) -> str:
        return table_id(self.phones, self.table)


def hmm_inputs(recipe: Recipe) -> HmmInputs:
    """As the run's labeled features and the recipe ask for today. Texts are part of the features' own inputs."""
    labeled = ShardStore(recipe.run, features.STORE).index("labeled")
    flat_start = {
        "version": FLAT_START_VERSION,
        "features": digest(labeled.column("checksum").tolist()),
        **pronunciation_inputs(recipe),
        **non_defaults(recipe, "flat-start"),
        **imported_inputs(recipe),
    }
    senones = {"version": SENONES_VERSION, "flat start": inputs_key(flat_start), **non_defaults(recipe, "senones")}
    if recipe.hmm.wrong_texts != "keep":
        senones["texts"] = "trusted"
    if _is_clustered(recipe.hmm):
        senones["hmm.questions"] = "clustered"
    return HmmInputs(flat_start, senones, non_defaults(recipe, "alignments"))


def read_trained(run: str, inputs: HmmInputs) -> Trained | None:
    """What the run holds for these inputs, if it is complete."""
    model = read_model(flat_start_uri(run), inputs.flat_start)
    table = read_table(tree_uri(run), inputs.senones)
    if model is None or table is None:
        return None
    return Trained(*model, read_phones(run), table, inputs)


def train(run: str, hmm: Hmm, chunks: MapChunks, some_chunks: MapChunks, inputs: HmmInputs) -> Trained:
    """Model and table. Each is stored as soon as it is finished, and read from the run if it is there already.

    For `some_chunks` see `flat_start`.
    """
    phones = read_phones(run)
    found = read_model(flat_start_uri(run), inputs.flat_start)
    if found is None:
        model, curve = flat_start(chunks, hmm.flat_start_iterations, len(phones), some_chunks)
        found = (model if hmm.wrong_texts == "keep" else trusted_model(chunks, model)), curve
        write_model(flat_start_uri(run), *found, inputs.flat_start)
    table = read_table(tree_uri(run), inputs.senones)
    if table is None:
        table = grow_table(
            _totals(hmm, chunks, found[0]),
            hmm.senones,
            hmm.min_frames_per_senone,
            phones=phones,
            questions=_questions(hmm, found[0], phones),
        )
        write_table(tree_uri(run), table, inputs.senones)
    return Trained(*found, phones, table, inputs)


def _is_clustered(hmm: Hmm) -> bool:
    return hmm.questions == "clustered" or language_of(hmm.lexicon).questions is None


def _questions(hmm: Hmm, model: FlatModel, phones: PhoneSet) -> Iterable[Sequence[str]]:
    known = language_of(hmm.lexicon).questions
    return clustered_questions(model, phones) if known is None or _is_clustered(hmm) else known.values()


def _totals(hmm: Hmm, chunks: MapChunks, model: FlatModel) -> TriphoneTotals:
    """Of all texts where the recipe keeps all, or where all are in doubt."""
    trusted = None if hmm.wrong_texts == "keep" else merge(chunks(trusted_totals, model))
    return merge(chunks(triphone_totals, model)) if trusted is None or not len(trusted.codes) else trusted


def chunk_sources(
    recipe: Recipe, labeled: Sequence[LedgerEntry], lexicon: str, imported: ImportIndex | None = None
) -> list[ChunkSource]:
    """The slabs of `labeled` features to train on: all, or every n-th of a large corpus.

    With imported alignments, of the slabs that have some.
    """
    content = "" if imported is None else imported.inputs[KEY]
    sources = [
        ChunkSource(recipe.run, entry.shard, slab, recipe.frontend.mel_bins, entry.checksum, lexicon, content)
        for entry in labeled
        for slab, frames in enumerate(_usable_frames(entry, imported))
        if frames
    ]
    return sources[:: max(-(-usable_frames(labeled, imported) // MOST_FRAMES), 1)]


def early_sources(sources: Sequence[ChunkSource], frames: int) -> list[ChunkSource]:
    """Those of `sources` for the first iterations, of a corpus of so many frames."""
    return list(sources[::EARLY_SHARE] if frames >= EARLY_SHARE * LEAST_EARLY_FRAMES else sources)


def usable_frames(labeled: Sequence[LedgerEntry], imported: ImportIndex | None) -> int:
    """10 ms frames that a model may be made from."""
    return sum(sum(_usable_frames(entry, imported)) for entry in labeled)


def _usable_frames(entry: LedgerEntry, imported: ImportIndex | None) -> Sequence[int]:
    """Of each slab."""
    return entry.slabs if imported is None else imported.frames.get(entry.shard.number, ())
