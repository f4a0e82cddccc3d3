"""A speaker's vector is the mean of the speaker's utterances, of length 1."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ssl_asr.fairness.embeddings import Embeddings, mean_vectors
from ssl_asr.store.speaker_embeddings import SpeakerEmbeddings


@given(st.lists(st.sampled_from(["ada", "bob", "eve"]), min_size=1, max_size=9), st.integers(0, 99))
def test_means_are_those_of_a_loop_whatever_the_order(speakers: list[str], seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(len(speakers), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"u{number}" for number in range(len(speakers))]
    names, found = mean_vectors(SpeakerEmbeddings(ids, speakers, vectors))
    assert names == sorted({*speakers})
    for name, vector in zip(names, found, strict=True):
        mean = np.mean([one for one, speaker in zip(vectors, speakers, strict=True) if speaker == name], axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_checksum_is_of_ids_and_of_vectors() -> None:
    vectors = np.eye(2)
    one = Embeddings("somewhere", ["a", "b"], vectors)
    assert one.checksum == Embeddings("elsewhere", ["a", "b"], vectors.copy()).checksum
    assert one.checksum != Embeddings("somewhere", ["a", "c"], vectors).checksum
    assert one.checksum != Embeddings("somewhere", ["a", "b"], vectors[::-1]).checksum
