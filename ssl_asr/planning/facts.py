"""The figures that a plan starts from, each with its source: measured (in docs/benchmarks.md) or stated.

A run that has finished a stage has its own figures, which are preferred: see `measured.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ssl_asr.recipe import Recipe


@dataclass(frozen=True)
class Fact:
    """`source` is printed beside the figure: "measured: ...", "published: ..." or "stated: ..."."""

    value: float
    source: str


@dataclass(frozen=True)
class Facts:
    """Bytes of stores, speeds of one CPU core in hours of audio an hour, and the start-up time of a stage."""

    feature_bytes: Fact  # of a 10 ms frame
    alignment_bytes: Fact  # of a 10 ms frame
    target_bytes: Fact  # of a 30 ms frame
    manifest_bytes: Fact  # of an utterance
    ledger_bytes: Fact  # of an entry
    utterance_seconds: Fact
    listing_speed: Fact  # utterances a second that the corpus stage lists, of a source with lengths
    opening_speed: Fact  # audio files a second that it opens for their lengths
    cutting_speed: Fact  # of long recordings, by voice activity
    frontend_speed: Fact
    flat_start_speed: Fact  # of one iteration
    alignment_speed: Fact
    decoding_speed: Fact
    recognising_speed: Fact  # of unlabeled speech, with posteriors by lattices
    start_seconds: Fact


BENCH = "docs/benchmarks.md"
DEMO = "measured: `make demo` at 50c016f"

# Cost of training on one core: matrix products at this rate, and a constant for each LSTM cell. The constant is what
# remains of a 24 M student's 448 frames/s: (1 / 448 - 6 x 24.27e6 / 93.8e9) s over 5 x 768 cells. It was observed for
# the loop with two workers on two cores; bare torch on an idle core needs less.
CORE_GFLOPS = Fact(93.8, f"measured: one core's matrix products ({BENCH}, labelling)")
CORE_CELL_SECONDS = Fact(
    1.77e-7, f"measured: the rest of a 24 M student's 448 frames/s, for each LSTM cell ({BENCH}, reader)"
)
CORE_LABELLING_SHARE = Fact(0.80, f"measured: share of matrix products' speed ({BENCH}, labelling)")

A10G_GFLOPS = 31_500  # float32, as public lists of accelerators give it; the GPU of cluster.yaml's machines
# An H100 trains the student in float32, on the batches of `paper`, with 28.1 of its 67 TFLOP/s (jobs/bench/gpu.py). A
# smaller GPU is filled more easily.
GPU_SHARE = 0.42
GPU_GFLOPS = Fact(
    A10G_GFLOPS * GPU_SHARE,
    f"stated: an A10G's {A10G_GFLOPS / 1000:g} TFLOP/s in float32, x {GPU_SHARE:g}, an H100's share ({BENCH}, gpu)",
)
BFLOAT16_GAIN = Fact(2.5, f"measured: an H100 labels as much faster in bfloat16 as in float32 ({BENCH}, gpu)")
# 1.35e11 frames x 6 x 24.27e6 on 64 V100 in 4.5 days (Parthasarathi et al. 2019).
PUBLISHED_GFLOPS = Fact(790, "published: 64 V100 trained the student on a million hours in 4.5 days")

# Sequence training: both depend on the beams and on how sure the network is. Measured were epochs of 90.5 s against
# 89.7 s, with 10 arcs a frame, and 107.4 s for the lattices of 120.1 minutes.
SMBR_COST = {
    "core": Fact(1.01, f"measured: an sMBR epoch over one by cross-entropy ({BENCH}, smbr)"),
    "GPU": Fact(1.5, "stated, not measured: an sMBR epoch over one by cross-entropy"),
}
WORD_LATTICE_SPEED = Fact(67, f"stated for words, as measured for sequence training ({BENCH}, smbr)")
LATTICE_SPEED = Fact(67, f"measured: lattices by one core, network included ({BENCH}, smbr)")
TRANSDUCER_SPEED = Fact(86, "measured: the RNN-T of `ssl-asr run transducer-demo`, beam 4, one core")

# Of the fairness stage. Who is understood worse, and how much they speak, is not known before.
COHORT_SHARE = Fact(0.1, "stated, not measured: the cohort's share of the training speech")
EXTRACTOR_STEP_SECONDS = Fact(0.28, "measured: a batch of 64 utterances of an extractor of embeddings, one busy core")
# Simulated accents: what is synthesised, once for a cache, and the training speech among it.
SYNTHESIS_SPEED = Fact(23, "measured: sentences a second that a busy core synthesises and encodes")
ACCENT_SENTENCES = Fact(1660, "counted: sentences of simulated accents")
ACCENT_HOURS = Fact(1.02, "measured: simulated accents outside their test set")

GPU_GBIT = Fact(10, "stated: a g5.2xlarge, as in cluster.yaml, has up to 10 Gbit/s")
LOOPBACK_GBIT = Fact(4.4, f"measured: gloo within one machine averages 24 M float32 in 0.175 s ({BENCH}, overhead)")
SPOT_KILLS = Fact(0.05, "stated: a spot machine is lost once in 20 hours")
NO_KILLS = Fact(0.0, "stated: your own machine is not taken away")
RECOVERY_SECONDS = Fact(
    35,
    f"measured: 10 s to continue ({BENCH}, goodput), once without the lost machine and once with a new one; "
    "stated: 15 s without a heartbeat before, until Ray declares a machine dead",
)
NOTICE_SECONDS = Fact(120, "published: a preemption notice on AWS")

PUBLISHED_HOURS = Fact(1e6, "published: a million hours (Parthasarathi & Strom 2019)")
PUBLISHED_LABELED = Fact(7000, "published: 7,000 hours (Parthasarathi & Strom 2019)")
PUBLISHED_TEST = Fact(5, "published: about 5,000 test utterances (Parthasarathi et al. 2019)")


def stated_facts(recipe: Recipe) -> Facts:
    """The figures of the benchmarks, scaled to the recipe's bins, bits, senones and beam."""
    return Facts(
        feature_bytes=_feature_bytes(recipe),
        alignment_bytes=Fact(0.46, f"{DEMO}, 600 senones"),
        target_bytes=_target_bytes(recipe),
        manifest_bytes=Fact(80, DEMO),
        ledger_bytes=Fact(1710, DEMO),
        utterance_seconds=_utterance_seconds(recipe),
        listing_speed=Fact(32_565, f"measured: lists with lengths, audio not opened ({BENCH}, corpus)"),
        opening_speed=Fact(7106, f"measured: audio files of a disk opened, busy cores ({BENCH}, corpus)"),
        cutting_speed=Fact(449, f"measured: FLAC at 16 kHz decoded and cut by voice activity ({BENCH}, segment)"),
        frontend_speed=_frontend_speed(recipe),
        flat_start_speed=Fact(676, f"measured: the laptop run's hmm stage ({BENCH}, endtoend), an iteration"),
        alignment_speed=Fact(700, "measured: 30 ms scores aligned on one core"),
        decoding_speed=_decoding_speed(recipe),
        recognising_speed=_recognising_speed(recipe),
        start_seconds=Fact(
            16, "measured: from a stage's start to its first piece, Ray's processes up, torch imported"
        ),
    )


def _feature_bytes(recipe: Recipe) -> Fact:
    bits, bins = recipe.frontend.feature_bits, recipe.frontend.mel_bins
    whole = {16: 117.1, 8: 59.3, 2: 14.7}[bits]
    return Fact(
        whole * bins / 64, f"measured: {whole} bytes a frame of 64 bins at {bits} bits ({BENCH}, feature_codec)"
    )


def _target_bytes(recipe: Recipe) -> Fact:
    """k x (id + value): an id's bits are log2 of the senones, a value's follow from 33.4 bytes of 20 among 700."""
    labelling = recipe.labelling
    value = 0.488 - 0.08 * (8 - labelling.value_bits)
    entry = math.log2(recipe.hmm.senones) / 8 + value
    how = f"k x (log2(senones) / 8 + {value:.3g}) bytes, fitted to k 20 among 700 senones ({BENCH}, codec)"
    return Fact((labelling.k + labelling.tail) * entry, f"measured: {how}")


def _utterance_seconds(recipe: Recipe) -> Fact:
    if is_open_speech(recipe.corpus.unlabeled):
        return Fact(2.6, "measured: mean of the open recorded speech")
    return Fact(3.6, "published: a million hours are about 1e9 utterances")


def _frontend_speed(recipe: Recipe) -> Fact:
    rate = recipe.frontend.sample_rate
    speed, measured_at = (636, 8) if rate <= 8000 else (499, 16)
    return Fact(speed, f"measured: jobs/bench/frontend.py, one core, {measured_at} kHz")


def _decoding_speed(recipe: Recipe) -> Fact:
    speed = 85.7 * 1000 / recipe.evaluate.max_active
    return Fact(speed, f"{DEMO}, 85.7 x real time of a core at max_active 1000, over max_active")


def _recognising_speed(recipe: Recipe) -> Fact:
    """The search, and then the lattices; of a transducer, whose size is not known here, its search."""
    if recipe.hypotheses.by_transducer:
        return TRANSDUCER_SPEED
    search = 85.7 * 1000 / recipe.hypotheses.max_active
    speed = 1 / (1 / search + 1 / WORD_LATTICE_SPEED.value)
    how = f"{DEMO}, searching at {search:.3g} x real time of a core, as max_active asks for"
    return Fact(speed, f"{how}; lattices at {WORD_LATTICE_SPEED.value:g} x, {WORD_LATTICE_SPEED.source}")


def is_open_speech(source: str) -> bool:
    return source == "open-speech"
