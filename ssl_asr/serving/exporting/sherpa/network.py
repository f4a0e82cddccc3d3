"""A model as the ONNX file that sherpa-onnx reads: everything behind its filter bank, with state that it carries.

sherpa-onnx (https://k2-fsa.github.io/sherpa/onnx/) has no model type for an LSTM of senones. `zipformer2_ctc` fits:
it hands the network a fixed number of frames and any float32 state whose shapes the metadata states, and searches a
graph with what comes out (`online-zipformer2-ctc-model.cc`, `online-ctc-fst-decoder.cc`). It knows neither priors nor
scales, so what comes out are the scores that our decoder would search.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssl_asr.decoding.scores import Scales
from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.models.acoustic import AcousticModel
from ssl_asr.serving.exporting.onnx_export import CELL, HIDDEN, add_network
from ssl_asr.serving.exporting.onnx_graph import OnnxGraph
from ssl_asr.serving.exporting.sherpa.carried import UNUSED, state_shapes, zipformer_metadata
from ssl_asr.serving.exporting.sherpa.front_end import BEFORE, ENERGIES, FrontEnd, add_front_end, sums
from ssl_asr.serving.network import AFTER, LOG_POSTERIORS

SCORES = "scores"
_NEVER = -1e4  # the score of a senone that is not allowed
_EMBEDDING = 19  # of a zipformer's convolutions; fixed in sherpa-onnx for this type


def to_sherpa(model: AcousticModel, front: FrontEnd, log_priors: npt.NDArray[np.float32], scales: Scales) -> bytes:
    """Energies [streams, frames, bins] and state in, scores [streams, 30 ms frames, senones] and state out.

    The first `look_ahead` scores of a stream stand for no audio: they allow silence alone, at no cost, and the graph
    has to begin with as many frames of it (`graph.py`). ValueError unless the network is a causal LSTM.
    """
    graph = OnnxGraph.of(model)
    add_front_end(graph, front)
    add_network(graph, model)
    _add_scores(graph, front, model.encoder.look_ahead, log_priors, scales)
    for name in UNUSED:
        graph.add("Identity", [name], [name + AFTER])
    section, bins = model.encoder.section, front.frontend.mel_bins
    sizes = {"layers": section.layers, "units": section.units, "carried": sums(front.frontend)}
    state = state_shapes(HIDDEN, CELL, **sizes, embedding=_EMBEDDING)
    scores = {SCORES: ("streams", front.frames // STACK, model.spec.outputs)}
    return graph.serialised(
        {ENERGIES: ("streams", front.frames, bins), **state},
        {**scores, **{name + AFTER: shape for name, shape in state.items()}},
        whole=(BEFORE, BEFORE + AFTER),
        metadata=zipformer_metadata(**sizes, frames=front.frames),
    )


def _add_scores(
    graph: OnnxGraph, front: FrontEnd, look_ahead: int, log_priors: npt.NDArray[np.float32], scales: Scales
) -> None:
    """From `log_posteriors` to `scores`, as `acoustic_scores`; but for the first frames of a stream."""
    priors = np.float32(scales.prior) * log_priors
    graph.add("Sub", [LOG_POSTERIORS, graph.constant("log_priors", priors)], ["likelihoods"])
    graph.add(
        "Mul", ["likelihoods", graph.constant("acoustic_scale", np.array([scales.kappa], np.float32))], ["scaled"]
    )
    silence = np.full(len(log_priors), _NEVER, np.float32)
    silence[SILENCE_SENONE] = 0.0
    places = np.arange(front.frames // STACK)[None, :, None] * STACK
    graph.add("Unsqueeze", [BEFORE, graph.constant("score_sides", np.array([1, 2]))], ["chunk_begin"])
    graph.add("Add", ["chunk_begin", graph.constant("places", places)], ["score_frames"])
    first = graph.constant("first_frames", np.array([look_ahead * STACK]))
    graph.add("Less", ["score_frames", first], ["is_before"])
    graph.add("Where", ["is_before", graph.constant("silence", silence), "scaled"], [SCORES])
