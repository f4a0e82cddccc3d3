"""Words of several scripts, one of them from right to left, through lexicon, grammar, graph and search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssl_asr.decoding.decoder import Decoder, DecodingGraph
from ssl_asr.decoding.graph import build_graph
from ssl_asr.evaluation.scoring import align_words, edits_of
from ssl_asr.hmm.transcripts import STATES_PER_PHONE, transcript_graph, usual_path
from ssl_asr.hmm.viterbi import align, graph_states
from ssl_asr.hmm.word_times import word_times
from ssl_asr.lang.fst_arrays import from_numpy
from ssl_asr.lang.graphemes import grapheme_phones, spelled
from ssl_asr.lang.lexicon import read_lexicon, read_phones, write_lexicon
from ssl_asr.lang.ngram import estimate_arpa, vocabulary_of
from ssl_asr.lang.text import EVERY_SCRIPT

WRITTEN = ["Кот спит.", "سلام يا قطة!", "Кот و cat", "café за\u0301мок"]
TEXTS = [EVERY_SCRIPT.normalise(text) for text in WRITTEN]
WORDS = sorted({word for text in TEXTS for word in text.split()})
LEXICON = spelled(WORDS, grapheme_phones(WORDS))
PHONES = LEXICON.phones
TABLE = np.broadcast_to(np.arange(len(PHONES), dtype=np.uint16)[None, :, None], (len(PHONES),) * 3)


def heard(text: str, frames: int = 3) -> np.ndarray:
    """Log posteriors [frames, phones] of the letters of `text`, with a short silence around them."""
    letters = usual_path(text.split(), LEXICON)[::STATES_PER_PHONE] // STATES_PER_PHONE
    return np.log(0.9 * np.eye(len(PHONES), dtype=np.float32)[np.repeat(letters, frames)] + 0.1 / len(PHONES))


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    vocabulary = vocabulary_of(TEXTS, LEXICON.pronunciations)
    assert sorted(vocabulary.words) == WORDS
    arrays = build_graph(vocabulary, LEXICON, estimate_arpa(TEXTS, 3), TABLE)
    graph = DecodingGraph(from_numpy(*arrays), vocabulary.words, int(arrays[3]["ilabel"].max()))
    return Decoder(graph, beam=30, max_active=10_000)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_said_is_recognised(decoder: Decoder, text: str) -> None:
    found = decoder.decode(heard(text))
    assert found == text.split()
    assert edits_of(align_words(text.split(), found)).errors == 0


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_said_is_aligned(text: str) -> None:
    graph, path = transcript_graph(text.split(), LEXICON), np.repeat(usual_path(text.split(), LEXICON), 2)
    states = graph_states(graph)
    labels = align(graph, np.where(path[:, None] == states, 0.0, -50.0).astype(np.float32), states)
    assert labels is not None
    np.testing.assert_array_equal(labels, path)
    times = word_times(text.split(), LEXICON, heard(text), TABLE)
    assert times is not None
    assert [each.end - each.start for each in times] == [3 * len(LEXICON.pronunciations[w][0]) for w in text.split()]


def test_a_run_keeps_phones_and_words(tmp_path: Path) -> None:
    write_lexicon(str(tmp_path), LEXICON)
    assert read_lexicon(str(tmp_path)) == LEXICON
    assert read_phones(str(tmp_path)) == PHONES
