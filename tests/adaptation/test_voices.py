"""Cohorts found from the voices of a small run: training speech is put into them, and other voices are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from ssl_asr.adaptation.cohort import read_cohorts
from ssl_asr.adaptation.stage import Wanted, run_adapt
from ssl_asr.adaptation.voices import is_by_voices, voice_finder
from ssl_asr.fairness.cohort_file import write_cohorts
from ssl_asr.fairness.cuts import Least
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.measures import Settings
from ssl_asr.fairness.run_table import table_of_run
from ssl_asr.models.model_files import model_id
from ssl_asr.recipe import Recipe
from ssl_asr.store import features, utterance
from ssl_asr.store.results_layout import cohorts_folder, cohorts_uri
from ssl_asr.store.shards import ShardStore
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings, write_speaker_embeddings
from ssl_asr.store.speakers_layout import DEFAULT_EXTRACTOR, embeddings_uri, extractor_uri
from ssl_asr.store.weights import write_weights
from tests.adaptation.adaptable_run import adaptable, copied

TRAINED = ("labeled", "unlabeled", "dev")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Not to be changed."""
    recipe = adaptable(tmp_path_factory.mktemp("voices"))
    embed(recipe, [*TRAINED, "test"], extractor=1)
    settings = Settings(Least(1, 2), replicates=20, shuffles=19, searches=9)
    found = find_cohorts(table_of_run(recipe, "student"), "voices", settings)
    write_cohorts(cohorts_folder(recipe.run), found)
    return recipe


@pytest.fixture
def recipe(made: Recipe, tmp_path: Path) -> Iterator[Recipe]:
    with copied(made, tmp_path) as recipe:
        yield recipe


def embed(recipe: Recipe, splits: Sequence[str], extractor: int, voices: int = 0) -> None:
    """The north and the south lie apart; `voices` seeds how single utterances scatter."""
    uri = extractor_uri(recipe.run, DEFAULT_EXTRACTOR)
    write_weights(uri, {"weight": torch.full((3,), float(extractor))}, {"kind": "speaker-extractor"})
    store, heard = ShardStore(recipe.run, utterance.STORE), ShardStore(recipe.run, features.STORE)
    random = np.random.default_rng(voices)
    for split in splits:
        for entry in heard.entries(split):
            said = [each for table in store.read_slabs(entry.shard) for each in utterance.decode(table)]
            middle = np.array([[1.0, 0, 0] if "north" in each.speaker else [0, 1.0, 0] for each in said])
            vectors = (middle + 0.1 * random.normal(size=middle.shape)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            embedded = SpeakerEmbeddings([each.id for each in said], [each.speaker for each in said], vectors)
            made_from = {"extractor": model_id(uri), heard.name: entry.checksum}
            write_speaker_embeddings(
                embeddings_uri(recipe.run, DEFAULT_EXTRACTOR, entry.shard.name), embedded, made_from
            )


def region_of(name: str) -> str:
    return "north" if "north" in name else "south"


def test_every_speaker_is_of_the_cluster_of_alike_voices(recipe: Recipe) -> None:
    results = read_cohorts(recipe.run, cohorts_folder(recipe.run))
    assert is_by_voices(results)
    cohort_of = voice_finder(recipe, results, TRAINED)
    clusters: dict[str, set[str | None]] = {"north": set(), "south": set()}
    store = ShardStore(recipe.run, utterance.STORE)
    for split in (*TRAINED, "test"):
        for entry in store.entries(split):
            for table in store.read_slabs(entry.shard):
                for each in utterance.decode(table):
                    clusters[region_of(each.speaker)].add(cohort_of(each.speaker, {}))
    assert {len(found) for found in clusters.values()} == {1}
    assert clusters["north"] != clusters["south"]
    assert cohort_of("a stranger", {"region": "north"}) is None


def test_a_model_is_adapted_to_the_cluster_that_is_understood_worse(recipe: Recipe) -> None:
    results = run_adapt(recipe, Wanted("bottom", "finetune", "student", cohorts_folder(recipe.run)))
    assert results.by == "voices"
    assert results.speakers == 5  # the south's of training
    assert {each.name for each in results.changes} >= {"cluster 1", "cluster 2"}


def refused(recipe: Recipe) -> str:
    results = read_cohorts(recipe.run, cohorts_folder(recipe.run))
    with pytest.raises(ValueError, match=r"^[^\n]*$") as found:
        voice_finder(recipe, results, TRAINED)
    return str(found.value)


def test_missing_embeddings_and_those_of_another_extractor_are_refused(recipe: Recipe) -> None:
    (shard,) = ShardStore(recipe.run, features.STORE).shards("dev")[:1]
    file = Path(embeddings_uri(recipe.run, DEFAULT_EXTRACTOR, shard.name))
    file.rename(file.with_suffix(".away"))
    assert "lacks embeddings of dev speech by today's extractor 'own'" in refused(recipe)
    assert refused(recipe).endswith("of this extractor again, with --embed dev")
    file.with_suffix(".away").rename(file)
    embed(recipe, ["test"], extractor=2)
    assert "lacks embeddings of labeled, unlabeled, dev speech" in refused(recipe)


def test_other_voices_than_those_that_were_clustered_are_refused(recipe: Recipe) -> None:
    embed(recipe, [*TRAINED, "test"], extractor=1, voices=1)
    assert "make other clusters than those" in refused(recipe)
    embed(recipe, [*TRAINED, "test"], extractor=1)
    file = Path(cohorts_uri(cohorts_folder(recipe.run)))
    values = json.loads(file.read_text())
    values["cohorts"][0]["part"]["speakers"] += 1
    file.write_text(json.dumps(values))
    assert "make other clusters than those" in refused(recipe)
