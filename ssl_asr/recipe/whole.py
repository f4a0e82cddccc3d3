"""The whole recipe: all sections, and what must hold between them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from ssl_asr.recipe.adapt import Adapt
from ssl_asr.recipe.cluster import Cluster
from ssl_asr.recipe.corpus import Corpus
from ssl_asr.recipe.evaluate import Evaluate
from ssl_asr.recipe.fairness import Fairness
from ssl_asr.recipe.frontend import Frontend
from ssl_asr.recipe.hmm import Hmm
from ssl_asr.recipe.hypotheses import Hypotheses
from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.labelling import Labelling
from ssl_asr.recipe.network import TransformerNetwork, check_keep_rate, flops_of, may_begin_as
from ssl_asr.recipe.objective import SoftCrossEntropySection
from ssl_asr.recipe.predictor import same_predictor
from ssl_asr.recipe.section import Section
from ssl_asr.recipe.training import Student, Teacher
from ssl_asr.recipe.transducer import Transducer

# Of utterances into splits and conditions, of noise, of weights and batches, and of bootstrap samples.
_RANDOM = Affects(
    *("open-labeled", "open-unlabeled", "open-dev", "open-test", "labeled", "unlabeled", "noise"),
    *("teacher", "baseline", "baseline-short", "student", "topline", "transducer", "results"),
    *("cohorts", "adapted"),
    *("teacher-smbr", "baseline-smbr", "baseline-short-smbr", "student-smbr", "topline-smbr"),
)

# Models of the run, of sequence training and realigning, and extractors, whose names begin with these.
_TAKEN = ("teacher", "baseline", "student", "topline", "aligner", "transducers", "adapted", "extractor")
_NAME = re.compile("[a-z][a-z0-9-]{0,39}")


class Recipe(Section):
    name: Annotated[str, Affects()] = "custom"
    about: Annotated[str, Affects()] = ""  # what the run shows and how long it takes: what `ssl-asr run` says first
    # Directory or s3:// or gs:// URI of everything that the run writes.
    run: Annotated[str, Affects()] = "runs/custom"
    seed: Annotated[int, _RANDOM] = 1
    corpus: Corpus = Corpus()
    frontend: Annotated[Frontend, Affects("features")] = Frontend()
    hmm: Hmm = Hmm()
    teacher: Annotated[Teacher, Affects("teacher")] = Teacher()
    labelling: Annotated[Labelling, Affects("targets")] = Labelling()
    student: Annotated[Student, Affects("baseline", "baseline-short", "student", "topline")] = Student()
    hypotheses: Annotated[Hypotheses, Affects("pseudo-labels")] = Hypotheses()
    # Recognisers that are trained on words instead of senones, by names of your own.
    transducers: Annotated[dict[str, Transducer], Affects("transducer")] = Field(default_factory=dict)
    evaluate: Evaluate = Evaluate()
    adapt: Annotated[Adapt, Affects("adapted")] = Adapt()
    fairness: Annotated[Fairness, Affects("cohorts")] = Fairness()
    # Where and on how many machines work runs. The number of training workers does shape a model, as it must where
    # machines come and go.
    cluster: Annotated[Cluster, Affects()] = Cluster()

    def __hash__(self) -> int:
        # Of what tells most recipes apart: the mapping of transducers has no hash.
        return hash((self.name, self.run, self.seed))

    @property
    def utterance_transducers(self) -> list[str]:
        """Names of those that recognise single utterances."""
        return [name for name, each in self.transducers.items() if each.conversations is None]

    @property
    def conversation_transducers(self) -> list[str]:
        """Names of those that recognise conversations."""
        return [name for name, each in self.transducers.items() if each.conversations is not None]

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.frontend.high_hz > self.frontend.sample_rate / 2:
            raise ValueError(
                f"frontend.high_hz={self.frontend.high_hz:g} is above half of frontend.sample_rate; "
                f"use at most {self.frontend.sample_rate / 2:g}"
            )
        if self.frontend.feature_bits == 2 and self.frontend.mel_bins > 256:
            raise ValueError("frontend.feature_bits=2 takes up to 256 frontend.mel_bins; use 8 or 16 bits")
        if self.labelling.k > self.hmm.senones:
            raise ValueError(f"labelling.k={self.labelling.k} is above hmm.senones={self.hmm.senones}")
        _check_tail(self)
        lexicon = self.hmm.lexicon
        if lexicon not in ("english", "graphemes") and not {"/", "."} & {*lexicon}:
            raise ValueError(
                f"hmm.lexicon={lexicon} is neither english nor graphemes; a file of this name here is ./{lexicon}"
            )
        if self.hmm.questions == "phonetic" and self.hmm.lexicon != "english":
            raise ValueError(
                "hmm.questions=phonetic are known for hmm.lexicon=english alone; use clustered, or leave it out"
            )
        if self.student.whole_sub_epochs > self.student.sub_epochs:
            raise ValueError("student.whole_sub_epochs is above student.sub_epochs")
        if self.student.selection == "all" and self.student.selected_share < 1:
            raise ValueError(
                f"student.selected_share={self.student.selected_share:g} has no effect while student.selection is "
                "all; add student.selection=uniform-confidence"
            )
        if self.frontend.low_hz >= self.frontend.high_hz:
            raise ValueError("frontend.low_hz is not below frontend.high_hz")
        for name in self.transducers:
            _check_transducer(name, self)
        for name in ("teacher", "student"):
            if flops_of(getattr(self, name).network):
                raise ValueError(f"{name}.network.gating.flops_of is for transducers alone; give it a keep_rate")
            check_keep_rate(name, getattr(self, name).network)
        least, most = self.cluster.label_actors
        if least > most:
            raise ValueError(f"cluster.label_actors: the least, {least}, is above the most, {most}")
        least, most = self.cluster.train_workers
        if least > most:
            raise ValueError(f"cluster.train_workers: the least, {least}, is above the most, {most}")
        return self


def _check_tail(recipe: Recipe) -> None:
    """ValueError where the student can't learn all senones that are not kept as one class."""
    if not recipe.labelling.tail:
        return
    if recipe.labelling.k == recipe.hmm.senones:
        raise ValueError(f"labelling.k={recipe.labelling.k} keeps all senones; leave out labelling.tail")
    if recipe.labelling.mass_floor:
        raise ValueError("labelling.mass_floor leaves out senones that labelling.tail doesn't count; set only one")
    objective = recipe.student.unlabeled_objective
    if not isinstance(objective, SoftCrossEntropySection) or objective.temperature != 1:
        raise ValueError(
            "labelling.tail is learned by student.unlabeled_objective.kind=soft-cross-entropy without a temperature; "
            "set that, or leave out labelling.tail"
        )


def _check_flops_of(name: str, recipe: Recipe) -> None:
    """A transducer that random gates are measured by is trained before, and is the same network but for its gates."""
    mine = recipe.transducers[name].network
    other = flops_of(mine)
    if not other:
        return
    key = f"transducers.{name}.network.gating.flops_of={other}"
    its = recipe.transducers[other].network if other in _above(name, recipe) else None
    if not isinstance(its, TransformerNetwork) or its.gating is None or its.gating.flops_of:
        raise ValueError(f"{key} names no transducer above this one that has gates of its own; name one of these")
    if its.model_copy(update={"gating": None, "dropout": mine.dropout}) != mine.model_copy(update={"gating": None}):
        raise ValueError(f"{key} has another network; give both the same, gating and dropout apart")


def _check_start_from(name: str, recipe: Recipe) -> None:
    """A transducer that another one begins as is trained before it, and has the same weights."""
    mine = recipe.transducers[name]
    if not mine.start_from:
        return
    key = f"transducers.{name}.start_from={mine.start_from}"
    start = recipe.transducers[mine.start_from] if mine.start_from in _above(name, recipe) else None
    if start is None or flops_of(start.network):
        raise ValueError(f"{key}: name a transducer that stands above this one and has no gating.flops_of")
    if not may_begin_as(mine.network, start.network):
        raise ValueError(f"{key} has another network; give both the same, dropout apart")
    if mine.joiner != start.joiner or not same_predictor(mine.predictor, start.predictor):
        raise ValueError(f"{key} has another predictor or joiner; give both the same")


def _above(name: str, recipe: Recipe) -> list[str]:
    """The transducers that are trained before this one."""
    names = list(recipe.transducers)
    return names[: names.index(name)]


def _check_transducer(name: str, recipe: Recipe) -> None:
    transducer, key = recipe.transducers[name], f"transducers.{name}"
    if not _NAME.fullmatch(name):
        raise ValueError(f"{key}: a name is of a-z, 0-9 and hyphens, such as rnnt")
    if any(f"{name}-".startswith(f"{taken}-") for taken in _TAKEN):
        raise ValueError(f"{key} has the name of another model, or begins with one; give it another, such as rnnt")
    if any(name == f"{other}-senones" for other, each in recipe.transducers.items() if each.senone_passes):
        raise ValueError(f"{key} has the name of another transducer's encoder; give it another, such as rnnt")
    if transducer.conversations is not None and recipe.hmm.wrong_texts != "keep":
        raise ValueError(
            f"{key}.conversations takes all texts as they are; set hmm.wrong_texts=keep, or leave out {key}"
        )
    if transducer.conversations is not None and transducer.search.lm_weight:
        raise ValueError(f"{key}.search.lm_weight is for single utterances; leave it out, or leave out conversations")
    if transducer.unlabeled_passes and not recipe.hypotheses.teacher:
        raise ValueError(
            f"{key} learns unlabeled speech from a teacher's words: say whose with hypotheses.teacher=student, or "
            f"set {key}.unlabeled_passes=0"
        )
    check_keep_rate(key, transducer.network)
    _check_flops_of(name, recipe)
    _check_start_from(name, recipe)
    if transducer.encoder_from:
        start = recipe.teacher if transducer.encoder_from == "teacher" else recipe.student
        if not may_begin_as(transducer.network, start.network):
            raise ValueError(
                f"{key}.encoder_from={transducer.encoder_from} has another network; give both the same, dropout apart"
            )
