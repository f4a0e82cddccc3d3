"""Which speech: its sources, its splits, and how it is cut into utterances and shards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import NotNegative, PositiveFloat, Section, Share

OPEN_SPLITS = Affects("open-labeled", "open-unlabeled", "open-dev", "open-test")
ALL_SPLITS = Affects("labeled", "unlabeled", "dev", "test")
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
