"""The sections that say which speech, how it becomes features and senones, and how it is decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.section import Positive, PositiveFloat, Section, Share


class Corpus(Section):
    """Which speech. A source is "open-speech" or READER:PATH with READER kaldi, librispeech, nemo or lhotse."""

    labeled: str = "open-speech"
    unlabeled: str = "open-speech"
    dev: str = "open-speech"
    test: str = "open-speech"
    lm_text: str | None = None  # one sentence a line; default: the texts of all but dev and test
    cache: str = "~/.cache/ssl_asr"
    # Open speech is cut into splits of these sizes (None: all that is left); other sources come split.
    labeled_minutes: PositiveFloat = 60
    unlabeled_minutes: PositiveFloat | None = 120
    dev_minutes: PositiveFloat = 8
    test_minutes: PositiveFloat = 3  # of each test set (talker or channel), each condition
    min_seconds: PositiveFloat = 0.6
    max_seconds: PositiveFloat = 15
    channel: Annotated[int, Field(ge=0)] = 0
    # Simulated degradation: unlabeled audio draws one condition an utterance; labeled audio keeps its clean
    # version and gets this many degraded copies; every test utterance appears in every test condition.
    train_conditions: tuple[str, ...] = ("clean",)
    labeled_copies: Annotated[int, Field(ge=0)] = 0
    test_conditions: tuple[str, ...] = ("clean",)
    shard_minutes: PositiveFloat = 90
    slab_minutes: PositiveFloat = 8
    max_reject_share: Share = 0.1  # more than this and the stage fails instead of warning


class Frontend(Section):
    sample_rate: Positive = 16000
    mel_bins: Positive = 64
    low_hz: PositiveFloat = 20
    high_hz: PositiveFloat = 7600
    stack: Literal[3] = 3  # 10 ms frames stacked into one 30 ms frame
    mean_prior_seconds: PositiveFloat = 1.0  # weight of the corpus mean at a speaker's first frame
    mean_memory_seconds: PositiveFloat = 120.0  # of the causal running mean
    feature_bits: Literal[16, 8] = 16  # of a stored value; 8: with a range of its own for each bin and utterance


class Hmm(Section):
    senones: Annotated[int, Field(gt=0, le=65535)] = 3183
    flat_start_iterations: Positive = 18
    min_frames_per_senone: Positive = 15
    g2p_words: Annotated[int, Field(ge=0)] = 126000  # of cmudict to train G2P on; 0: words outside it are rejected


class Labelling(Section):
    """What is kept of the teacher's posteriors: every value here is part of the identity of a set of targets."""

    teachers: Annotated[tuple[str, ...], Field(min_length=1)] = ("teacher",)  # models; of several, the mean posterior
    k: Annotated[int, Field(gt=0, le=1000)] = 20
    value_bits: Annotated[int, Field(ge=2, le=8)] = 8  # of a log-probability: steps of 16 / (2^bits - 1) nats
    mass_floor: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the k largest that a frame may leave out
    batch_frames: Positive = 6000  # 30 ms frames of a batch of utterances of like length, padding included
    precision: Literal["float32", "bfloat16"] = "float32"  # of the network; bfloat16 by autocast
    compile: bool = False  # the network by torch.compile


class Evaluate(Section):
    lm_order: Annotated[int, Field(ge=1, le=5)] = 3
    beam: PositiveFloat = 13
    max_active: Positive = 5000
    kappas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (
        0.2,
        0.3,
        0.45,
        0.7,
        1.0,
    )  # acoustic scales tried on dev
    bootstrap: Positive = 2000


class Cluster(Section):
    train_workers: tuple[Positive, Positive] = (2, 2)  # least and most
    label_actors: tuple[Positive, Positive] = (1, 2)
    use_gpu: bool = False
    cpus_per_worker: PositiveFloat = 0.5
    price_per_actor_hour: Annotated[float, Field(ge=0)] = 0.0  # for the cost that `ssl-asr status` tells
