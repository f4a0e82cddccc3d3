"""Embeddings of speakers: how many clusters there are, and which are understood worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.fairness.clustering import STABLE
from ssl_asr.fairness.clusters import elbow, find_clusters, nearest
from ssl_asr.fairness.cohort_table import format_cohorts
from ssl_asr.fairness.embeddings import read_embeddings, speaker_vectors
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.fairness.scored_table import speakers_of
from tests.fairness.made_up import QUICK, table_of


def voices(kinds: np.ndarray, seed: int = 0, distance: float = 6.0) -> np.ndarray:
    """Vectors [speakers, 8] about one centre a kind."""
    return np.random.default_rng(seed).normal(0, 1, (len(kinds), 8)) + distance * np.eye(8)[kinds]


def saved(folder: Path, ids: list[str], vectors: np.ndarray) -> str:
    np.savez(folder / "voices.npz", ids=np.array(ids), vectors=vectors)
    return str(folder / "voices.npz")


def test_clusters_of_speakers_are_found_and_ranked_by_errors(tmp_path: Path) -> None:
    kinds = np.arange(60) % 3
    file = saved(tmp_path, [f"person {number}" for number in range(60)], voices(kinds))
    table = table_of(np.where(kinds == 1, 0.35, 0.15), [{}] * 60)
    found = find_cohorts(table, f"embeddings:{file}", QUICK)
    assert len(found.cohorts) == 3
    assert [each.bottom for each in found.cohorts] == [True, False, False]
    assert found.bottom.share_of_speakers == pytest.approx(1 / 3)
    assert found.gap.value == pytest.approx(0.35 / 0.15 - 1, abs=0.4)
    assert found.gap.p == 1 / 200
    assert found.clustering.stable
    assert found.clustering.tried[2].stability > STABLE
    assert "clusters tried" in format_cohorts(found)


def test_the_number_of_clusters_is_the_true_one() -> None:
    for true in (2, 4):
        kinds = np.arange(48) % true
        vectors = voices(kinds, seed=true)
        found = find_clusters(vectors, 8, seed=1)
        assert len(found.tried) == 6
        assert len(found.centres) == true
        labels = nearest(vectors, found.centres)
        assert len({*zip(kinds.tolist(), labels.tolist(), strict=True)}) == true
    again = find_clusters(vectors, 8, seed=1)
    assert (again.centres == found.centres).all()


def test_voices_without_clusters_are_called_unstable() -> None:
    vectors = np.random.default_rng(5).normal(0, 1, (60, 16))
    found = find_clusters(vectors, 10, seed=1)
    assert not found.stable
    assert max(each.stability for each in found.tried[1:]) < STABLE


def test_the_elbow_is_farthest_below_the_line() -> None:
    assert elbow([10.0, 5.0, 1.0, 0.9, 0.8]) == 3
    assert elbow([10.0, 1.0]) == 2
    assert elbow([1.0, 1.0, 1.0]) == 2


def test_a_speaker_has_the_mean_of_the_utterances(tmp_path: Path) -> None:
    table = table_of([0.1] * 3, [{}] * 3)
    file = saved(tmp_path, ["u0-0", "u0-1", "person 2", "elsewhere"], np.array([[2.0, 0], [0, 5], [0, 1], [1, 1]]))
    rows, vectors = speaker_vectors(read_embeddings(file), table, speakers_of(table))
    assert rows.tolist() == [0, 2]
    assert np.allclose(vectors, [[0.5**0.5, 0.5**0.5], [0, 1]])


def test_speakers_without_an_embedding_are_in_no_cohort(tmp_path: Path) -> None:
    kinds = np.arange(40) % 2
    file = saved(tmp_path, [f"person {number}" for number in range(40)], voices(kinds))
    found = find_cohorts(table_of([0.2] * 42, [{}] * 42), f"embeddings:{file}", QUICK)
    assert (found.left_out.speakers, found.left_out.unknown_utterances) == (2, 4)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"ids": np.array(["a", "b"])}, "is no .npz of `ids` (text) and `vectors`"),
        ({"ids": np.array([1, 2]), "vectors": np.ones((2, 3))}, "`ids` must be a row of texts, each once"),
        ({"ids": np.array(["a", "a"]), "vectors": np.ones((2, 3))}, "`ids` must be a row of texts, each once"),
        ({"ids": np.array(["a", "b"]), "vectors": np.ones((3, 3))}, "one row of them for each of the 2 ids"),
        ({"ids": np.array(["a"]), "vectors": np.array([[np.nan]])}, "has values that are not finite, or is all zero"),
        ({"ids": np.array(["a"]), "vectors": np.zeros((1, 3))}, "has values that are not finite, or is all zero"),
        ({"ids": np.array(["a"], object), "vectors": np.ones((1, 3))}, "is no .npz of `ids` (text) and `vectors`"),
    ],
)
def test_embeddings_that_cannot_be_used_are_refused_in_one_sentence(tmp_path: Path, arrays, said) -> None:
    np.savez(tmp_path / "voices.npz", **arrays)
    with pytest.raises(ValueError, match=r"^[^\n]*$") as refused:
        read_embeddings(str(tmp_path / "voices.npz"))
    assert said in str(refused.value)
    assert "voices.npz" in str(refused.value)


def test_no_file_another_file_or_other_speakers_are_told(tmp_path: Path) -> None:
    table = table_of([0.2] * 12, [{}] * 12)
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text.npz is no .npz of `ids`"):
        read_embeddings(str(tmp_path / "text.npz"))
    with pytest.raises(ValueError, match=r"there is no .*none.npz; name an .npz"):
        read_embeddings(str(tmp_path / "none.npz"))
    other = saved(tmp_path, ["somebody"], np.ones((1, 4)))
    with pytest.raises(
        ValueError, match=r"no utterance and no speaker of made-up.jsonl; its ids are like 'somebody'"
    ):
        find_cohorts(table, f"embeddings:{other}", QUICK)
    file = saved(tmp_path, [f"person {number}" for number in range(8)], voices(np.arange(8) % 2))
    with pytest.raises(ValueError, match="4 speakers with an embedding in the half that is searched are too few"):
        find_cohorts(table, f"embeddings:{file}", QUICK)
