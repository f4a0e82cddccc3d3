import kaldi_decoder
import kaldifst
import numpy as np
import pytest

from ssl_asr.decoding.decoder import Decoder
from ssl_asr.decoding.lattice_decoder import LatticeDecoder
from ssl_asr.sequence.best_path import best_path
from ssl_asr.sequence.folding import fold
from ssl_asr.sequence.raw_lattices import read_raw

HEARD = ["SIL EY K AE T S AE T SIL", "T UW K AE T S S AE T", "S AY", "K AE T S SIL S AE T T UW SIL AH K AE T"]


def _noisy(toy, phones):
    posteriors = toy.posteriors(phones)
    noise = np.random.default_rng(len(phones)).normal(0, 2, posteriors.shape)
    return (0.3 * (posteriors + noise)).astype(np.float32)


@pytest.mark.parametrize("phones", HEARD)
def test_the_best_path_is_the_one_that_the_search_finds(toy, phones):
    scores = _noisy(toy, phones)
    lattice = LatticeDecoder(toy.graph, beam=12, lattice_beam=6).decode(scores)
    found = best_path(lattice, lattice.scores(scores))
    search = kaldi_decoder.FasterDecoder(toy.graph.fst, kaldi_decoder.FasterDecoderOptions(beam=12))
    search.decode(kaldi_decoder.DecodableCtc(scores))
    _, path = search.get_best_path()
    _, labels, words, weight = kaldifst.get_linear_symbol_sequence(path)
    spoken = lattice.arcs.words[found.arcs]
    assert lattice.density > 1.5
    assert lattice.arcs.senones[found.arcs].tolist() == [label - 1 for label in labels]
    assert spoken[spoken > 0].tolist() == list(words)
    assert -found.score == pytest.approx(weight.value1 + weight.value2, abs=1e-3)
    assert [toy.graph.words[word - 1] for word in words] == Decoder(toy.graph, 12, 10_000).decode(scores)


@pytest.mark.parametrize("phones", HEARD)
def test_folding_keeps_the_cost_of_the_raw_lattice(toy, phones):
    """The search's own acoustic costs, on the arcs that carry senones, are the scores that it was given."""
    scores = _noisy(toy, phones)
    options = kaldi_decoder.LatticeSimpleDecoderConfig(beam=8, lattice_beam=4)
    search = kaldi_decoder.LatticeSimpleDecoder(toy.graph.fst, options)
    search.decode(kaldi_decoder.DecodableCtc(scores))
    _, found = search.get_raw_lattice()
    _, path = search.get_best_path()
    raw = read_raw(found)
    emits = raw.ilabels > 0
    assert set(np.round(-raw.acoustic[emits], 4)) <= set(np.round(scores, 4).ravel())
    lattice = fold(raw)
    *_, weight = kaldifst.get_linear_symbol_sequence(path)
    best = best_path(lattice, lattice.scores(scores)).score
    assert -best == pytest.approx(weight.value1 + weight.value2, abs=1e-3)


def test_a_wider_lattice_beam_keeps_more(toy):
    scores = _noisy(toy, HEARD[0])
    densities = [LatticeDecoder(toy.graph, 14, beam).decode(scores).density for beam in (0.1, 2.0, 6.0)]
    assert densities[0] < densities[1] < densities[2]


def test_what_cannot_be_decoded_is_refused_in_a_sentence(toy):
    decoder = LatticeDecoder(toy.graph, 10, 5)
    with pytest.raises(ValueError, match="no frame"):
        decoder.decode(np.empty((0, toy.graph.max_label), np.float32))
    with pytest.raises(ValueError, match="senone set"):
        decoder.decode(np.zeros((5, 3), np.float32))
    with pytest.raises(ValueError, match="no path within the beam"):
        LatticeDecoder(toy.graph, 2, 1).decode(10 * toy.posteriors("SIL K AE T S AE T")[:6])
