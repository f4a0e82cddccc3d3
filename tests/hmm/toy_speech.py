"""Cepstra of a few sentences, drawn from a model that is known exactly."""

from __future__ import annotations

import numpy as np

from ssl_asr.hmm.cepstra import CEPSTRA
from ssl_asr.hmm.chunks import Transcribed
from ssl_asr.hmm.flat_model import FlatModel
from ssl_asr.hmm.mixtures import Mixtures
from ssl_asr.hmm.transcripts import transcript_graph, usual_path
from ssl_asr.hmm.viterbi import graph_states
from ssl_asr.lang.lexicon import Lexicon
from ssl_asr.lang.phones import ENGLISH

LEXICON = Lexicon.from_pairs(
    [
        *(("see", ("S", "IY")), ("the", ("DH", "AH")), ("cat", ("K", "AE", "T")), ("dog", ("D", "AO", "G"))),
        *(("fish", ("F", "IH", "SH")), ("boy", ("B", "OY")), ("zoo", ("Z", "UW")), ("my", ("M", "AY"))),
    ],
    ENGLISH,
)
TEXTS = [
    *("see the cat", "my dog see fish", "boy zoo my", "fish the zoo", "dog cat boy", "my fish see"),
    *("zoo the boy see", "cat see zoo", "the dog my", "boy fish cat"),
]
NUM_STATES = 3 * len(ENGLISH)
CENTRES = np.random.default_rng(1).normal(0, 1, (NUM_STATES, CEPSTRA))


def toy_model() -> FlatModel:
    """One Gaussian a state; deltas say nothing."""
    means = np.hstack([CENTRES, np.zeros((NUM_STATES, 2 * CEPSTRA))])[:, None]
    variances = np.broadcast_to(np.repeat([1.0, 1e6], [CEPSTRA, 2 * CEPSTRA]), means.shape)
    return FlatModel(Mixtures(np.ones(means.shape[:2]), means, variances))


def spoken(name: str, text: str, heard: str | None = None) -> Transcribed:
    """An utterance of `heard`, or of its `text`."""
    generator = np.random.default_rng(list(name.encode()))
    states = np.repeat(usual_path((heard or text).split(), LEXICON), 3)
    graph = transcript_graph(text.split(), LEXICON)
    cepstra = (CENTRES[states] + generator.normal(0, 1, (len(states), CEPSTRA))).astype(np.float32)
    return Transcribed(name, cepstra, graph, graph_states(graph), usual_path(text.split(), LEXICON))


def right() -> list[Transcribed]:
    return [spoken(f"utt-{place}", text) for place, text in enumerate(TEXTS)]
