"""Two principal components of voices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from ssl_asr.fairness.clustering import Clustering, VoiceDot, VoiceMap
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.voice_map import MOST_DOTS, only_of, principal_components, voice_map
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings, write_speaker_embeddings
from ssl_asr.store.speakers_layout import embeddings_uri
from tests.fairness.made_up import QUICK, table_of


def test_components_are_those_of_scikit_learn():
    vectors = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    places, shares = principal_components(vectors)
    model = PCA(2).fit(vectors)
    assert np.abs(places) == pytest.approx(np.abs(model.transform(vectors)))
    assert shares == pytest.approx(tuple(model.explained_variance_ratio_))


@pytest.mark.parametrize("vectors", [np.ones((4, 3)), np.array([[1.0], [2.0], [4.0]]), np.eye(2)])
def test_less_than_two_components_are_zero(vectors):
    places, (first, second) = principal_components(vectors)
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()
    assert np.allclose(places[:, 1], 0)
    assert second == pytest.approx(0)
    assert first <= 1


def test_dots_are_limited_and_say_cohort_and_channel():
    count = MOST_DOTS + 500
    vectors = np.random.default_rng(1).normal(size=(count, 3))
    found = voice_map(vectors, np.arange(count) % 2, np.zeros(count, np.int64), ["phone"])
    assert len(found.dots) == MOST_DOTS
    assert {(dot.cohort, dot.channel) for dot in found.dots} == {("cluster 1", "phone"), ("cluster 2", "phone")}


@pytest.mark.parametrize(
    ("channels", "shown"),
    [
        ("aaabbcd", "aaabb??"),
        ("aaabbc", "aaa???"),  # one alone would be known by the word "other" too
        ("aab", "???"),
        ("aabb", "aabb"),
        ("a", "?"),
    ],
)
def test_no_dot_has_a_channel_of_its_own(channels, shown):
    names = sorted({*channels})
    numbers = np.array([names.index(each) for each in channels])
    vectors = np.random.default_rng(0).normal(size=(len(channels), 3))
    found = voice_map(vectors, np.zeros(len(channels), np.int64), numbers, names)
    assert [dot.channel for dot in found.dots] == ["other" if each == "?" else each for each in shown]


def test_nor_has_one_where_the_others_of_its_channel_are_not_shown():
    dots = [VoiceDot(0, 0, f"cluster {cohort}", channel) for cohort, channel in ("1a", "1a", "1b", "1c", "2b", "2c")]
    found = only_of(Clustering([], True, VoiceMap(dots, 1.0, 0.0), 5, "abc"), ["cluster 1"])
    assert [dot.channel for dot in found.map.dots] == ["a", "a", "other", "other"]


def test_cohorts_that_are_not_shown_have_no_dot():
    dots = [VoiceDot(0, 0, f"cluster {number}", "a") for number in (1, 2, 2)]
    found = only_of(Clustering([], True, VoiceMap(dots, 1.0, 0.0), 5, "abc"), ["cluster 2"])
    assert found.map.dots == dots[1:]


def write_voices(run: str, name: str, speakers: int) -> None:
    vectors = np.random.default_rng(0).normal(0, 0.3, (speakers, 4)) + 2 * np.eye(4)[np.arange(speakers) % 2]
    ids = [f"u{number}-0" for number in range(speakers)]
    found = SpeakerEmbeddings(ids, ["anybody"] * speakers, vectors.astype(np.float32))
    write_speaker_embeddings(embeddings_uri(run, name, "test/000000"), found, {})


@pytest.mark.parametrize(("by", "name"), [("voices", "own"), ("voices:other", "other")])
def test_cohorts_by_the_embeddings_of_a_run(tmp_path, by, name):
    write_voices(str(tmp_path), name, 40)
    table = table_of(0.1 + 0.2 * (np.arange(40) % 2), [{}] * 40, sets=["a", "a", "b", "b"] * 10)
    found = find_cohorts(replace(table, source=str(tmp_path)), by, QUICK)
    assert found.gap.p < 0.05
    assert {dot.cohort for dot in found.clustering.map.dots} == {each.name for each in found.cohorts}
    assert {dot.channel for dot in found.clustering.map.dots} == {"a", "b"}
    assert found.clustering.map.share_x > 0.5


@pytest.mark.parametrize(("by", "name"), [("voices", "own"), ("voices:x", "x")])
def test_a_run_without_embeddings_is_told(tmp_path, by, name):
    table = replace(table_of([0.1, 0.2], [{}] * 2), source=str(tmp_path))
    with pytest.raises(ValueError, match=f"no speaker embeddings of the extractor '{name}'; run `ssl-asr speakers"):
        find_cohorts(table, by, QUICK)
