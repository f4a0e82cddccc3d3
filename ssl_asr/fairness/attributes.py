"""From `--by` to an attribute of speakers: a tag's values, places, or clusters of embeddings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ssl_asr.fairness.clustering import Clustering
from ssl_asr.fairness.cuts import Float, Least
from ssl_asr.fairness.embeddings import Embeddings, embeddings_of_run, read_embeddings, speaker_vectors
from ssl_asr.fairness.halves import pairs_of, searched_half
from ssl_asr.fairness.partition import Attribute, Values
from ssl_asr.fairness.places import places_of, positions_of
from ssl_asr.fairness.scored_table import Bool, Int, MainValues, ScoredTable, Speakers, main_values

GEO, TAG, VOICES, EMBEDDINGS = "geo", "tag:", "voices", "embeddings:"
_MOST_VARYING = 0.1


@dataclass(frozen=True)
class Known:
    """The attribute of the speakers `rows` [known], of which `searched` [known] marks the half to search in.

    `centres` [clusters, d] are those of embeddings, else None.
    """

    rows: Int
    attribute: Attribute
    searched: Bool
    unknown_utterances: int
    single_values: int = 0
    varying: int = 0
    clustering: Clustering | None = None
    centres: Float | None = None


def known_of(by: str, table: ScoredTable, speakers: Speakers, least: Least, seed: int) -> Known:
    """ValueError in one sentence where the speakers can't be divided by it."""
    if by == GEO:
        return _by_place(table, speakers, seed)
    if by.startswith(TAG) and by != TAG:
        return _by_tag(by.removeprefix(TAG), table, speakers, seed)
    embeddings = _embeddings(by, table)
    if embeddings is None:
        raise ValueError(f"'{by}' divides no speakers; give {TAG}NAME, {GEO}, {VOICES} or {EMBEDDINGS}FILE")
    return _by_embedding(embeddings, table, speakers, least, seed)


def halves_of(by: str, table: ScoredTable, speakers: Speakers, seed: int) -> tuple[Int, Bool]:
    """`rows` and `searched` of `known_of`; no clusters are searched for them."""
    embeddings = _embeddings(by, table)
    if embeddings is None:
        known = known_of(by, table, speakers, Least(), seed)
        return known.rows, known.searched
    rows, vectors = speaker_vectors(embeddings, table, speakers)
    return rows, searched_half(pairs_of(vectors, speakers.channels[rows]), seed)


def _embeddings(by: str, table: ScoredTable) -> Embeddings | None:
    kind, colon, name = by.partition(":")
    if kind == VOICES and (name or not colon):
        return embeddings_of_run(table.source, name)
    return read_embeddings(name) if f"{kind}:" == EMBEDDINGS and name else None


def _by_tag(name: str, table: ScoredTable, speakers: Speakers, seed: int) -> Known:
    if name not in table.tag_names:
        others = f"there are {', '.join(table.tag_names)}" if table.tag_names else "there are no tags at all"
        raise ValueError(f"no utterance of {table.source} has the tag '{name}'; {others}")
    found = main_values(table, speakers.utterances, lambda each: each.tags.get(name) or None)
    if found.other_words > _MOST_VARYING:
        raise ValueError(
            f"the tag '{name}' changes within speakers: {found.other_words:.0%} of the words are under another value "
            "than their speaker's main one; cohorts are of speakers, so name a tag that belongs to these"
        )
    sizes = Counter(value for value in found.values if value is not None)
    shared = sorted(value for value, size in sizes.items() if size > 1)
    single = len(sizes) - len(shared)
    if len(shared) < 2:
        alone = f", {single} of one speaker each, who is not scored alone" if single else ""
        raise ValueError(
            f"the tag '{name}' makes only {'one cohort' if shared else 'no cohort'} of two speakers or more: it has "
            f"{_plural(len(sizes), 'value')}{alone}; name another tag, or tag more speakers"
        )
    numbers = {value: number for number, value in enumerate(shared)}
    rows = np.array([row for row, value in enumerate(found.values) if value in numbers])
    codes = np.array([numbers[str(found.values[row])] for row in rows])
    searched = searched_half(codes, seed)
    return Known(rows, Values(shared, codes), searched, found.unknown, single, found.varying)


def _by_place(table: ScoredTable, speakers: Speakers, seed: int) -> Known:
    found: MainValues = places_of(table, speakers)
    rows = np.array([row for row, value in enumerate(found.values) if value is not None])
    places = [str(found.values[row]) for row in rows]
    if len({*places}) < 2:
        raise ValueError(
            f"all {_plural(len(rows), 'speaker')} of {table.source} with coordinates are at one place, which is one "
            "cohort; divide the speakers by a tag"
        )
    positions = positions_of(places)
    searched = searched_half(pairs_of(positions.degrees, speakers.channels[rows]), seed)
    return Known(rows, positions, searched, found.unknown, varying=found.varying)


def _by_embedding(embeddings: Embeddings, table: ScoredTable, speakers: Speakers, least: Least, seed: int) -> Known:
    from ssl_asr.fairness.clusters import find_clusters, nearest  # scikit-learn takes a second
    from ssl_asr.fairness.voice_map import voice_map

    rows, vectors = speaker_vectors(embeddings, table, speakers)
    searched = searched_half(pairs_of(vectors, speakers.channels[rows]), seed)
    clusters = find_clusters(vectors[searched], least.speakers, seed)
    names = [f"cluster {number + 1}" for number in range(len(clusters.centres))]
    known = {*rows.tolist()}
    unknown = sum(len(places) for row, places in enumerate(speakers.utterances) if row not in known)
    codes = nearest(vectors, clusters.centres)
    drawn = voice_map(vectors, codes, speakers.channels[rows], speakers.channel_names)
    clustering = Clustering(clusters.tried, clusters.stable, drawn, least.speakers, embeddings.checksum)
    attribute = Values(names, codes)
    return Known(rows, attribute, searched, unknown, clustering=clustering, centres=clusters.centres)


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
