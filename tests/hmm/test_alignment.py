"""The path of an utterance through its text: graph, Viterbi, triphones."""

from __future__ import annotations

import numpy as np
import pytest

from ssl_asr.hmm.transcripts import least_frames, transcript_graph, usual_path
from ssl_asr.hmm.triphones import triphone_codes, triphones_of
from ssl_asr.hmm.viterbi import align, align_equally, graph_states
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH

LEXICON = Lexicon.from_pairs([("see", ("S", "IY")), ("the", ("DH", "AH")), ("the", ("DH", "IY"))], ENGLISH)


def states_of(phones: str) -> np.ndarray:
    return np.concatenate([ENGLISH.ids[phone] * 3 + np.arange(3) for phone in phones.split()])


def scores_for(path: np.ndarray, states: np.ndarray, sure: float = 50.0) -> np.ndarray:
    """Log-likelihoods [T, states] that favour `path`."""
    return sure * (path[:, None] == states).astype(np.float32)


@pytest.mark.parametrize("phones", ["SIL S IY DH AH SIL", "S IY DH IY", "S IY SIL DH AH", "SIL S IY SIL DH IY SIL"])
def test_viterbi_finds_silences_variants_and_times(phones):
    graph = transcript_graph(["see", "the"], LEXICON)
    path = np.repeat(states_of(phones), 1 + np.arange(len(states_of(phones))) % 4)
    states = graph_states(graph)
    found = align(graph, scores_for(path, states), states)
    np.testing.assert_array_equal(found, path)


def test_an_utterance_shorter_than_its_states_has_no_alignment():
    graph = transcript_graph(["see"], LEXICON)
    states = graph_states(graph)
    assert least_frames(["see"], LEXICON) == 6
    assert align(graph, np.zeros((5, len(states)), np.float32), states) is None
    assert align(graph, np.zeros((6, len(states)), np.float32), states).tolist() == states_of("S IY").tolist()


def test_a_graph_has_the_states_of_its_text_alone():
    expected = np.unique(states_of("SIL DH AH IY"))
    np.testing.assert_array_equal(graph_states(transcript_graph(["the", "the"], LEXICON)), expected)


def test_equal_alignment_gives_every_state_its_share():
    path = usual_path(["see"], LEXICON)
    assert path.tolist() == states_of("SIL S IY SIL").tolist()
    labels = align_equally(path, 30)
    assert set(np.bincount(labels, minlength=3 * len(ENGLISH))[np.unique(path)]) <= {2, 3, 5, 6}
    assert align_equally(path, 11) is None


def test_triphones_of_a_path():
    path = np.repeat(states_of("SIL S S IY"), 2)
    codes = triphone_codes(path, len(ENGLISH))
    names = [" ".join(ENGLISH.names[phone] for phone in each) for each in triphones_of(codes[::6], len(ENGLISH))]
    assert names == ["SIL SIL S", "SIL S S", "S S IY", "S IY SIL"]
    assert (codes.reshape(-1, 6) == codes[::6, None]).all()
