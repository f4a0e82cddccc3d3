"""Cohorts found from voices, of training speech too: each speaker is of the cluster with the nearest centre.

The clusters themselves are kept nowhere, as a centre may be the voice of few. They are found again as `ssl-asr
cohorts` found them, from the same embeddings, and refused where they are not the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ssl_asr.adaptation.cohort import CohortOf
from ssl_asr.fairness.attributes import VOICES, Known, known_of
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.embeddings import embeddings_of_run, mean_vectors
from ssl_asr.fairness.partition import Values
from ssl_asr.fairness.results import CohortResults
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.fairness.scored_table import speakers_of
from ssl_asr.recipe import Recipe
from ssl_asr.speakers.embedders import are_embedded
from ssl_asr.store.speaker_embeddings import all_speaker_embeddings
from ssl_asr.store.speakers_layout import DEFAULT_EXTRACTOR


def is_by_voices(results: CohortResults) -> bool:
    return results.by.partition(":")[0] == VOICES


def voice_finder(recipe: Recipe, results: CohortResults, splits: Sequence[str]) -> CohortOf:
    """Knows the speakers of test and of these splits. ValueError where embeddings are missing, or other ones."""
    name = results.by.partition(":")[2] or DEFAULT_EXTRACTOR
    assert results.clustering is not None, "cohorts by voices are clusters"
    _check_embedded(recipe.run, name, ["test", *splits])
    table = table_of_run(recipe, results.system)
    speakers = speakers_of(table)
    if embeddings_of_run(recipe.run, name).checksum != results.clustering.embeddings:
        raise ValueError(_other(recipe.run, results))
    least = Least(speakers=results.clustering.least_speakers)
    known = known_of(results.by, table, speakers, least, results.seed)
    if not _is_same(known, results):
        raise ValueError(_other(recipe.run, results))
    clusters = _nearest_clusters(recipe.run, name, splits, known)
    assert isinstance(known.attribute, Values), "clusters"
    names, codes = known.attribute.names, known.attribute.codes
    tested = {speakers.names[row]: names[code] for row, code in zip(known.rows, codes, strict=True)}
    found: Mapping[str, str] = {**clusters, **tested}
    return lambda speaker, _: found.get(speaker)


def _nearest_clusters(run: str, name: str, splits: Sequence[str], known: Known) -> dict[str, str]:
    """By speaker."""
    from ssl_asr.fairness.clusters import nearest  # scikit-learn takes a second

    assert known.centres is not None, "clusters of embeddings"
    assert isinstance(known.attribute, Values), "clusters of embeddings"
    found: dict[str, str] = {}
    for split in splits:
        embedded = all_speaker_embeddings(run, name, split)
        if embedded is not None:
            speakers, vectors_nd = mean_vectors(embedded)
            codes = nearest(vectors_nd, known.centres)
            found |= {speaker: known.attribute.names[code] for speaker, code in zip(speakers, codes, strict=True)}
    return found


def _check_embedded(run: str, name: str, splits: Sequence[str]) -> None:
    missing = [split for split in splits if not are_embedded(run, name, split)]
    if missing:
        others = ",".join(split for split in missing if split != "test")
        raise ValueError(
            f"{run} lacks embeddings of {', '.join(missing)} speech by today's extractor '{name}'; give the `ssl-asr "
            f"speakers` command of this extractor again{f', with --embed {others}' if others else ''}"
        )


def _is_same(known: Known, results: CohortResults) -> bool:
    """Whether as many held-out speakers are in each cohort that was told."""
    assert isinstance(known.attribute, Values), "clusters"
    codes = known.attribute.codes[~known.searched]
    held = {name: int((codes == code).sum()) for code, name in enumerate(known.attribute.names)}
    return all(held.get(each.name) == each.part.speakers for each in results.cohorts)


def _other(run: str, results: CohortResults) -> str:
    return (
        f"the voices of {run} make other clusters than those that `ssl-asr cohorts` has found; run `ssl-asr cohorts "
        f"{run} --by {results.by}` again"
    )
