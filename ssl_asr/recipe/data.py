"""The sections that say which speech, how it becomes features and senones, and how it is decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.mixtures import Mixtures
from ssl_asr.recipe.section import NotNegative, Positive, PositiveFloat, Section, Share

OPEN_SPLITS = Affects("open-labeled", "open-unlabeled", "open-dev", "open-test")
ALL_SPLITS = Affects("labeled", "unlabeled", "dev", "test")
WrongTexts = Literal["keep", "weigh", "reject"]
CUTTING = Affects("labeled", "unlabeled", "dev", "test", "shards")


Group = Literal["speaker", "recording", "source"]
DATA = "{data}"  # stands for `corpus.data` in a source


class Hours(Section):
    """Of a recipe's sources, before any of it is read; None where they are not known."""

    labeled: PositiveFloat | None = None
    unlabeled: PositiveFloat | None = None
    dev: PositiveFloat | None = None
    test: PositiveFloat | None = None


class Corpus(Section):
    """Which speech. A source is "open-speech" or READER:PATH; corpus/readers/registry.py has the readers."""

    labeled: Annotated[str, Affects("labeled")] = "open-speech"
    unlabeled: Annotated[str, Affects("unlabeled")] = "open-speech"
    dev: Annotated[str, Affects("dev")] = "open-speech"
    test: Annotated[str, Affects("test")] = "open-speech"
    # A folder or URI for {data} in these four, so that one value says where a corpus lies, or which of its languages
    # is meant: "common-voice:{data}/train.tsv". The content of the sources counts, not where they are.
    data: Annotated[str | None, Affects()] = None
    # What `ssl-asr plan` takes for the lengths of sources that were not read yet. It limits nothing.
    hours: Annotated[Hours, Affects()] = Hours()
    # One sentence a line, plain or gzipped; default: the transcripts of all but dev and test, less their sentences.
    # Its content counts, not its name.
    lm_text: Annotated[str | None, Affects()] = None
    cache: Annotated[str, Affects()] = "~/.cache/ssl_asr"
    # Open speech is cut into splits of these sizes (None: all the rest); other sources are already split. Test is
    # taken first, then dev, then the others.
    labeled_minutes: Annotated[PositiveFloat, Affects("open-labeled", "open-unlabeled")] = 60
    unlabeled_minutes: Annotated[PositiveFloat | None, Affects("open-labeled", "open-unlabeled")] = 120
    dev_minutes: Annotated[PositiveFloat, Affects("open-dev", "open-labeled", "open-unlabeled")] = 8
    # Of each test set (talker or channel), each condition.
    test_minutes: Annotated[PositiveFloat, Affects("open-test", "open-dev", "open-labeled", "open-unlabeled")] = 3
    # Add synthetic voices with simulated accents at simulated places to open speech, as one more test set and in all
    # splits: corpus/open_speech/accents.py. It needs pip install 'ssl-asr[synthetic]'.
    accents: Annotated[bool, OPEN_SPLITS] = False
    min_seconds: Annotated[PositiveFloat, ALL_SPLITS] = 0.6
    # Of labeled and unlabeled speech. LibriSpeech's train-clean-100, with copies at 0.9 of its speed, has utterances
    # of up to 27.2 s (icefall's statistics of it).
    max_seconds: Annotated[PositiveFloat, ALL_SPLITS] = 30
    # Unlabeled recordings that are longer are cut by voice activity into utterances of min_seconds to max_seconds,
    # with 0.2 s of audio around speech. What is no speech is left out. Without this they are rejected, as labeled
    # ones always are: a text can't be cut, so their list must give segments.
    segment: Annotated[bool, Affects("unlabeled")] = True
    channel: Annotated[int, Field(ge=0), ALL_SPLITS] = 0
    # Unlabeled speech whose list gives lengths: believe them, and leave its audio unopened until the front end reads
    # it, or it is cut; a few are opened for their sampling rate. So a million hours are listed without a request for
    # each file.
    trust_lengths: Annotated[bool, Affects("unlabeled")] = True
    # Of such speech too, sizes and times of the audio files are compared at each start where its lists have no more
    # megabytes than these: about 160,000 files, which takes 2 seconds on a disk.
    compared_list_mb: Annotated[NotNegative, Affects("unlabeled")] = 32
    # What a shard of unlabeled speech holds whole. speaker: speakers, wherever the source lists their utterances;
    # recording: each channel of an audio file is a speaker of its own, whatever the list says and wherever it names
    # the file; source: speakers whose utterances the source lists together, so that none are looked for elsewhere.
    group: Annotated[Group, Affects("unlabeled")] = "speaker"
    # Run the pipes in a Kaldi directory's wav.scp: each is a shell command, which can do anything. If not, those
    # that only decode one file are read as that file, and others are rejected.
    pipes: Annotated[bool, ALL_SPLITS] = False
    # Simulated degradation: labeled audio keeps its clean version and gets this many degraded copies, in different
    # conditions. So does unlabeled audio with `unlabeled_copies`: the teacher labels the clean version, and copies
    # have the same targets (Mosner et al. 2019). With 0 copies an unlabeled utterance is in one condition, at random.
    # Every dev and test utterance appears in every condition of its split, with recorded noise of its own.
    # Conditions: clean, room, babble-<dB>, effects-<dB>; in training also speed-<factor> from 0.8 to 1.25, such
    # as speed-0.9, and both, such as speed-0.9+babble-20.
    train_conditions: Annotated[tuple[str, ...], Affects("labeled", "unlabeled")] = ("clean",)
    labeled_copies: Annotated[int, Field(ge=0), Affects("labeled")] = 0
    unlabeled_copies: Annotated[int, Field(ge=0), Affects("unlabeled")] = 0
    dev_conditions: Annotated[tuple[str, ...], Affects("dev")] = ("clean",)
    test_conditions: Annotated[tuple[str, ...], Affects("test")] = ("clean",)
    # With all copies. A pass that hears one version of each recording takes less from a slab.
    shard_minutes: Annotated[PositiveFloat, CUTTING] = 90
    slab_minutes: Annotated[PositiveFloat, CUTTING] = 8
    max_reject_share: Annotated[Share, Affects()] = 0.1  # of a split: more, and the stage fails

    @model_validator(mode="after")
    def _consistent(self) -> Corpus:
        if self.data is None and DATA in f"{self.labeled}{self.unlabeled}{self.dev}{self.test}":
            raise ValueError(f"a source has {DATA}; say where that is with corpus.data=FOLDER")
        if self.accents and "open-speech" not in (self.labeled, self.unlabeled, self.dev, self.test):
            raise ValueError("accents are added to open-speech, which is no source here; leave corpus.accents out")
        return self

    def source_of(self, split: str) -> str:
        """The source of "labeled", "unlabeled", "dev" or "test"."""
        named: str = getattr(self, split)
        return named.replace(DATA, (self.data or "").rstrip("/"))


class Frontend(Section):
    sample_rate: Positive = 16000
    mel_bins: Positive = 64
    low_hz: PositiveFloat = 20
    high_hz: PositiveFloat = 7600
    stack: Literal[3] = 3  # 10 ms frames stacked into one 30 ms frame
    # Log energies further than this below the speaker's running level are raised to it: 9 nats are 39 dB.
    energy_range_nats: PositiveFloat = 9.0
    mean_prior_seconds: PositiveFloat = 1.0  # weight of the corpus mean at a speaker's first frame
    mean_memory_seconds: PositiveFloat = 120.0  # of the causal running mean and level
    # Of a stored value. 8: with a range of its own for each bin and utterance. 2: about two, by a cosine transform of
    # blocks of 8 frames, as JPEG does it (docs/formats.md); for up to 256 bins.
    feature_bits: Literal[16, 8, 2] = 16


class Hmm(Section):
    senones: Annotated[int, Field(gt=0, le=65535), Affects("senones")] = 3183
    # Alignments of labeled speech made elsewhere, instead of a flat start: kaldi:DIR (with ali.*.gz, final.mdl and
    # phones.txt) or ctm:FILE (of phones), local paths where the command runs. What they hold counts, not their names.
    alignments: Annotated[str | None, Field(pattern=r"^(kaldi|ctm):."), Affects()] = None
    # How words are pronounced. english: by cmudict, words of a-z; graphemes: each letter is a phone, of any language;
    # or a path or URI of lines `word PHONE PHONE ...`, as Kaldi and MFA write them. What a file holds counts, not its
    # name.
    lexicon: Annotated[str, Field(min_length=1), Affects()] = "english"
    # Classes of phones that the senone tree asks about: phonetic ones are known of english alone, clustered ones are
    # found in the labeled speech. None: phonetic where they are known.
    questions: Annotated[Literal["phonetic", "clustered"] | None, Affects()] = None
    flat_start_iterations: Annotated[Positive, Affects("flat-start")] = 24
    min_frames_per_senone: Annotated[Positive, Affects("senones")] = 15
    # So often a network like the teacher is trained, and aligns all speech again for the networks that follow.
    realign: Annotated[int, Field(ge=0, le=3), Affects()] = 0
    # Labeled utterances whose text is found to belong to other audio. keep: they are trained on like all others;
    # weigh: by the probability that the text is right; reject: not at all.
    wrong_texts: Annotated[WrongTexts, Affects("flat-start", "alignments")] = "keep"
    # Of the lexicon to train G2P on; 0: words outside it are rejected. Graphemes need none.
    g2p_words: Annotated[int, Field(ge=0), Affects("lexicon")] = 126000


class Labelling(Section):
    """What is kept of the teacher's posteriors: every value here is part of a target set's identity."""

    # Names of models; of several, the mean posterior. What the models' files hold counts, not their names.
    teachers: Annotated[tuple[str, ...], Field(min_length=1), Affects()] = ("teacher",)
    k: Annotated[int, Field(gt=0, le=1000)] = 20
    value_bits: Annotated[int, Field(ge=2, le=8)] = 8  # of a log-probability: steps of 16 / (2^bits - 1) nats
    mass_floor: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the k largest that a frame may leave out
    # Keep beside the k largest how probable all other senones are together. The student learns it as one more class.
    tail: bool = False
    batch_frames: Positive = 6000  # 30 ms frames of a batch of utterances of similar length, with padding
    precision: Literal["float32", "bfloat16"] = "float32"  # of the network; bfloat16 by autocast
    compile: bool = False  # the network by torch.compile


RECOGNISERS = ("teacher", "baseline", "student")  # the topline is none: it has learned what unlabeled speech says
OUTSIDE = ("ctm", "jsonl")
TRANSDUCER = "transducer"


class Hypotheses(Section):
    """Words of the unlabeled speech, for transducers to learn; every value here is part of such a set's identity."""

    # Who recognises; None: nobody. A network of the run, with a decoding graph: teacher, baseline or student. Or
    # transducer:RUN/NAME, a transducer of another run, whose features are made as this run's are. Or words that
    # another recogniser has written, by the utterances' ids: ctm:FILE, or jsonl:FILE of JSON objects as `ssl-asr
    # transcribe` prints them; FILE is a path, a URI or a pattern. What a model or a file holds counts, not its name.
    teacher: Annotated[str | None, Affects()] = None
    # The following are for a network of the run.
    lm_order: Annotated[int, Field(ge=1, le=5)] = 3  # of an n-gram that has seen no text of the unlabeled speech
    kappa: PositiveFloat = 0.3  # scale of the acoustic score; an evaluation tunes its own on dev
    prior_scale: NotNegative = 1.0  # of the log prior within the acoustic score
    beam: PositiveFloat = 13
    max_active: Positive = 5000
    # Words' posteriors come from lattices of this beam, as with evaluate.lattice_beam.
    lattice_beam: PositiveFloat = 7

    @property
    def by_transducer(self) -> bool:
        """Whether a transducer of another run recognises the words."""
        return (self.teacher or "").startswith(f"{TRANSDUCER}:")

    @field_validator("teacher")
    @classmethod
    def _known(cls, teacher: str | None) -> str | None:
        kind, _, place = (teacher or "").partition(":")
        if teacher is None or teacher in RECOGNISERS or (kind in OUTSIDE and place):
            return teacher
        run, _, name = place.rpartition("/")
        if kind == TRANSDUCER and run and name:
            return teacher
        known = (*RECOGNISERS, f"{TRANSDUCER}:RUN/NAME", *(f"{each}:FILE" for each in OUTSIDE))
        raise ValueError(f"it is not known; use one of {', '.join(known)}")


class Evaluate(Section):
    lm_order: Annotated[int, Field(ge=1, le=5), Affects("graph")] = 3
    beam: Annotated[PositiveFloat, Affects("hypotheses")] = 13
    max_active: Annotated[Positive, Affects("hypotheses")] = 5000
    batch_frames: Annotated[Positive, Affects("hypotheses")] = 6000  # as labelling.batch_frames
    # Acoustic scales tried on dev; of two or more, an optimum at either end goes on beyond it (evaluation/tuning.py).
    kappas: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Affects("results")] = (0.2, 0.3, 0.45, 0.7, 1.0)
    # Scales of the log prior within the acoustic score, tried on dev at the best kappa.
    prior_scales: Annotated[tuple[NotNegative, ...], Field(min_length=1), Affects("results")] = (1.0,)
    bootstrap: Annotated[Positive, Affects("results")] = 2000  # replicates
    # Confidences, times and alternatives of the recognised words of test, by lattices of this beam. The hypotheses
    # stay those of the search above. A lattice takes longer than the search, and has no limit of active states: keep
    # its beam small.
    lattices: Annotated[bool, Affects("results")] = False
    lattice_beam: Annotated[PositiveFloat, Affects("results")] = 7
    # A system more: the student's network trained with true labels on all audio, where the texts of the unlabeled
    # audio are known. It says how much could be gained; nothing else sees these texts.
    topline: Annotated[bool, Affects("results")] = False
    # How conversations of the test speech are simulated, the same ones for all transducers of conversations.
    conversations: Annotated[Mixtures, Affects("transducer-words")] = Mixtures()


class Cluster(Section):
    train_workers: tuple[Positive, Positive] = (2, 2)  # minimum and maximum
    label_actors: tuple[Positive, Positive] = (1, 2)  # of labelling, and of realigning
    use_gpu: bool = False
    cpus_per_worker: PositiveFloat = 0.5
    price_per_actor_hour: Annotated[float, Field(ge=0)] = 0.0  # for the cost in `ssl-asr status`
