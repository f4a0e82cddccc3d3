"""How much speech a plan is for, and how much of it each stage processes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ssl_asr.corpus.augment.conditions import versions
from ssl_asr.planning.facts import (
    ACCENT_HOURS,
    PUBLISHED_HOURS,
    PUBLISHED_LABELED,
    PUBLISHED_TEST,
    Fact,
    is_open_speech,
)
from ssl_asr.planning.question import Question
from ssl_asr.recipe import Corpus, Recipe, Transducer

OPEN_TEST_SETS = 4  # three held-out talkers or channels, and one that is in training; simulated accents are one more
# Of the demo: all the rest is 3.50 h, beside 40 min of labeled speech, 8 of dev, and 3 of the one test set.
OPEN_HOURS = Fact(4.35, "measured: open recorded speech that the demo divides, less labeled, dev and one test set")


@dataclass(frozen=True)
class Speech:
    """Hours; `labeled`, `unlabeled`, `dev` and `test` as stored, so all include degraded copies.

    `clean_labeled` and `recorded_unlabeled` are without copies: one version of each recording. `cut` are those of
    recordings that were cut by voice activity; None where they were not listed yet.
    """

    clean_labeled: Fact
    recorded_unlabeled: Fact
    labeled: Fact
    unlabeled: Fact
    dev: Fact
    test: Fact
    cut: Fact | None = None

    def aligned(self, recipe: Recipe) -> float:
        """With labels from texts: of the unlabeled speech only for the topline."""
        texts = self.unlabeled.value if recipe.evaluate.topline else 0.0
        return self.labeled.value + self.dev.value + self.test.value + texts

    def realigned(self, recipe: Recipe) -> float:
        """What a network aligns: one version of each recording, whose copies are labeled like it; at most, of dev and
        test, which are counted with all their conditions."""
        texts = self.recorded_unlabeled.value if recipe.evaluate.topline else 0.0
        return self.clean_labeled.value + self.dev.value + self.test.value + texts

    def recorded(self, corpus: Corpus) -> dict[str, float]:
        """Of each split without copies: one version of each recording, as the sources list them."""
        tested = {split: getattr(self, split).value / versions(corpus, split) for split in ("dev", "test")}
        return {"labeled": self.clean_labeled.value, "unlabeled": self.recorded_unlabeled.value, **tested}

    @property
    def stored(self) -> float:
        return sum(split.value for split in (self.labeled, self.unlabeled, self.dev, self.test))


def speech_of(recipe: Recipe, question: Question) -> Speech:
    corpus = recipe.corpus
    stated = corpus.hours
    sets = OPEN_TEST_SETS + corpus.accents
    labeled, tested = _minutes(corpus.labeled_minutes), _minutes(sets * corpus.test_minutes)
    rest = _rest(corpus) if corpus.unlabeled_minutes is None else _minutes(corpus.unlabeled_minutes)
    clean = _hours(question.labeled_hours, corpus.labeled, labeled, stated.labeled, PUBLISHED_LABELED)
    recorded = _hours(question.hours, corpus.unlabeled, rest, stated.unlabeled, PUBLISHED_HOURS)
    dev = _hours(question.test_hours, corpus.dev, _minutes(corpus.dev_minutes), stated.dev, PUBLISHED_TEST)
    test = _hours(question.test_hours, corpus.test, tested, stated.test, PUBLISHED_TEST)
    return Speech(
        clean_labeled=clean,
        recorded_unlabeled=recorded,
        labeled=_times(clean, versions(corpus, "labeled"), "versions"),
        unlabeled=_times(recorded, versions(corpus, "unlabeled"), "versions"),
        dev=_times(dev, versions(corpus, "dev"), "conditions"),
        test=_times(test, versions(corpus, "test"), "conditions"),
    )


def _hours(given: float | None, source: str, opened: Fact, stated: float | None, published: Fact) -> Fact:
    if given is not None:
        return Fact(given, "given on the command line")
    if is_open_speech(source):
        return opened
    return published if stated is None else Fact(stated, "stated: corpus.hours of the recipe")


def _minutes(minutes: float) -> Fact:
    return Fact(minutes / 60, "the recipe's minutes")


def _rest(corpus: Corpus) -> Fact:
    """The open speech that is not labeled; where the recipe asks for more, it is divided by halves."""
    found = OPEN_HOURS.value + (ACCENT_HOURS.value if corpus.accents else 0.0)
    left = found - (corpus.dev_minutes + corpus.test_minutes) / 60
    return Fact(max(left - corpus.labeled_minutes / 60, left / 2), OPEN_HOURS.source)


def _times(hours: Fact, times: int, of_what: str) -> Fact:
    return hours if times == 1 else Fact(hours.value * times, f"{hours.source}, x {times} {of_what}")


@dataclass(frozen=True)
class TrainingSpeech:
    """Hours that a network is trained on, over all passes: on chunks, then on whole utterances.

    `slab_share` is the part of a slab's speech that a pass hears, `labeled_share` the part of the hours that is of
    labeled speech.
    """

    chunked: float
    whole: float
    slab_share: float = 1.0
    labeled_share: float = 1.0

    @property
    def hours(self) -> float:
        return self.chunked + self.whole

    def times(self, trainings: float) -> TrainingSpeech:
        """Of several trainings together."""
        return replace(self, chunked=trainings * self.chunked, whole=trainings * self.whole)

    def share(self, share: float) -> TrainingSpeech:
        return TrainingSpeech(share * self.chunked, share * self.whole)


def teacher_speech(recipe: Recipe, speech: Speech) -> TrainingSpeech:
    teacher, stored = recipe.teacher, speech.labeled.value
    heard = speech.clean_labeled.value if teacher.versions == "one" else stored
    return TrainingSpeech(heard * teacher.labeled_passes, heard * teacher.whole_passes, heard / stored)


def student_speech(recipe: Recipe, speech: Speech) -> TrainingSpeech:
    """The baseline is trained on the same number of hours, all of them labeled."""
    student = recipe.student
    labeled, stored = speech.labeled, _student_hours(recipe, speech.labeled, speech.unlabeled)
    hours = stored
    if student.versions == "one":
        labeled = speech.clean_labeled
        hours = _student_hours(recipe, labeled, speech.recorded_unlabeled)
    whole = hours * student.whole_sub_epochs / student.sub_epochs
    return TrainingSpeech(hours - whole, whole, hours / stored, labeled.value * student.sub_epochs / hours)


def _student_hours(recipe: Recipe, labeled: Fact, unlabeled: Fact) -> float:
    student = recipe.student
    return unlabeled.value * student.unlabeled_passes * student.selected_share + labeled.value * student.sub_epochs


def transducer_speech(settings: Transducer, speech: Speech) -> TrainingSpeech:
    """All of it whole utterances; what a least confidence leaves out is counted, and so are passes for senones.

    Conversations are taken to be as long as the clean utterances that they are made of.
    """
    labeled, unlabeled = speech.labeled.value, speech.unlabeled.value
    if settings.versions == "one" or settings.conversations is not None:
        labeled, unlabeled = speech.clean_labeled.value, speech.recorded_unlabeled.value
    # Conversations are of clean speech, senones are learned from all versions.
    heard = speech.clean_labeled if settings.versions == "one" else speech.labeled
    labeled_hours = heard.value * settings.senone_passes + labeled * settings.sub_epochs * settings.labeled_passes
    hours = labeled_hours + unlabeled * settings.unlabeled_passes
    return TrainingSpeech(0.0, hours, labeled / speech.labeled.value, labeled_hours / hours)
