"""The recipe: one typed, validated, frozen description of a run, read from YAML.

`load_recipe("demo", ["student.layers=3"])` takes a preset's name or a file and overrides. An unknown key or
value is refused with the nearest valid one before any work. What says where and on how many machines work runs
lives in `cluster` and `run` and never makes a stage start anew: features, targets and words do not depend on it, a
trained model does (BMUF with two workers is not BMUF with four), as it must on an elastic cluster.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ssl_asr.store import filesystem

Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]

# Keys outside `cluster` and `run` that change no result either: where downloads lie, when to give up.
_NO_RESULT = {"cache", "max_reject_share"}


class Section(BaseModel):
    # Defaults are validated too: 15 and 15.0 must not be two identities of one recipe.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), validate_default=True)


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


class Optimiser(Section):
    name: Literal["adam", "sgd"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    final_learning_rate: PositiveFloat = 1e-4  # reached exponentially at the last phase
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    clip_norm: PositiveFloat = 5.0
    batch_chunks: Positive = 32
    chunk_frames: Positive = 32
    batch_frames: Positive = 1500  # of a batch of whole utterances, padding included
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    # SpecAugment on training batches: this many masks an utterance or chunk, each at most this wide.
    frequency_masks: Annotated[int, Field(ge=0)] = 0
    frequency_mask_bins: Positive = 8
    time_masks: Annotated[int, Field(ge=0)] = 0
    time_mask_frames: Positive = 4


class Sync(Section):
    """How workers agree. BMUF: eta = 1 - 1/N and zeta = C N (1 - eta) unless given (Chen & Huo 2016)."""

    strategy: Literal["bmuf", "dense"] = "bmuf"
    variant: Literal["nesterov", "classical"] = "nesterov"
    block_slabs: Positive = 2  # of each worker in a block
    c: PositiveFloat = 1.0
    eta: Annotated[float, Field(ge=0, lt=1)] | None = None
    optimiser_state: Literal["reset", "average"] = "average"
    checkpoint_blocks: Positive = 2  # blocks between checkpoints
    max_bad_blocks: Positive = 3  # in a row with a NaN or Inf model, before the run stops


class Teacher(Section):
    layers: Positive = 5
    units: Positive = 768  # of each direction
    labeled_passes: Positive = 10  # on chunks
    whole_passes: Annotated[int, Field(ge=0)] = 2  # then on whole utterances
    optimiser: Optimiser = Optimiser()
    sync: Sync = Sync()


class Labelling(Section):
    """What is kept of the teacher's posteriors: every value here is part of the identity of a set of targets."""

    teachers: Annotated[tuple[str, ...], Field(min_length=1)] = ("teacher",)  # models; of several, the mean posterior
    k: Annotated[int, Field(gt=0, le=1000)] = 20
    value_bits: Annotated[int, Field(ge=2, le=8)] = 8  # of a log-probability: steps of 16 / (2^bits - 1) nats
    mass_floor: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the k largest that a frame may leave out
    batch_frames: Positive = 6000  # 30 ms frames of a batch of utterances of like length, padding included
    precision: Literal["float32", "bfloat16"] = "float32"  # of the network; bfloat16 by autocast
    compile: bool = False  # the network by torch.compile


class Student(Section):
    """The student and its baseline: the same network, schedule and updates, without the unlabeled audio."""

    layers: Positive = 5
    units: Positive = 768
    look_ahead: Annotated[int, Field(ge=0)] = 3  # 30 ms frames by which targets are delayed
    sub_epochs: Positive = 18
    unlabeled_passes: PositiveFloat = 1.0  # over all unlabeled audio, all sub-epochs together
    whole_sub_epochs: Annotated[int, Field(ge=0)] = 3  # the last ones, on whole utterances
    labeled_boost: PositiveFloat = 1.2  # learning rate of the labeled part over that of the unlabeled
    # Unlabeled utterances trained on: all, or so large a share of their frames, spread over the teacher's confidence.
    selection: Literal["all", "uniform-confidence"] = "all"
    selected_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimiser: Optimiser = Optimiser()
    sync: Sync = Sync()


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


class Recipe(Section):
    name: str = "custom"
    about: str = ""  # what the run shows and how long it takes: the first thing `ssl-asr run` says
    run: str = "runs/custom"  # directory or s3:// or gs:// URI of everything the run writes
    seed: int = 1
    corpus: Corpus = Corpus()
    frontend: Frontend = Frontend()
    hmm: Hmm = Hmm()
    teacher: Teacher = Teacher()
    labelling: Labelling = Labelling()
    student: Student = Student()
    evaluate: Evaluate = Evaluate()
    cluster: Cluster = Cluster()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.frontend.high_hz > self.frontend.sample_rate / 2:
            raise ValueError(
                f"frontend.high_hz={self.frontend.high_hz:g} is above half of frontend.sample_rate; "
                f"use at most {self.frontend.sample_rate / 2:g}"
            )
        if self.labelling.k > self.hmm.senones:
            raise ValueError(f"labelling.k={self.labelling.k} is above hmm.senones={self.hmm.senones}")
        if self.student.whole_sub_epochs > self.student.sub_epochs:
            raise ValueError("student.whole_sub_epochs is above student.sub_epochs")
        if self.student.selection == "all" and self.student.selected_share < 1:
            raise ValueError(
                f"student.selected_share={self.student.selected_share:g} selects nothing while student.selection is "
                "all; add student.selection=uniform-confidence"
            )
        if self.student.look_ahead >= self.student.optimiser.chunk_frames:
            raise ValueError(
                f"student.look_ahead={self.student.look_ahead} leaves no target in a chunk of "
                f"student.optimiser.chunk_frames={self.student.optimiser.chunk_frames}"
            )
        if self.frontend.low_hz >= self.frontend.high_hz:
            raise ValueError("frontend.low_hz is not below frontend.high_hz")
        least, most = self.cluster.label_actors
        if least > most:
            raise ValueError(f"cluster.label_actors: the least, {least}, is above the most, {most}")
        least, most = self.cluster.train_workers
        if least > most:
            raise ValueError(f"cluster.train_workers: the least, {least}, is above the most, {most}")
        return self

    def key(self, *sections: str) -> str:
        """Identity of what these sections and the seed ask for; equal keys ask for equal results."""
        asked = {name: getattr(self, name).model_dump(exclude=_NO_RESULT) for name in sections} | {"seed": self.seed}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def presets() -> list[str]:
    folder = resources.files("ssl_asr") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def recipe_text(name_or_path: str) -> str:
    """The YAML of a preset or of a file; ValueError with the nearest preset where it is neither."""
    if name_or_path in presets():
        return (resources.files("ssl_asr") / "presets" / f"{name_or_path}.yaml").read_text()
    if Path(name_or_path).is_file() or ("://" in name_or_path and filesystem.exists(name_or_path)):
        return filesystem.read_bytes(name_or_path).decode()
    hint = difflib.get_close_matches(name_or_path, presets(), 1) or presets()
    raise ValueError(f"no recipe '{name_or_path}': neither a file nor a preset; try {', '.join(hint)}")


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A preset by name or a YAML file by path, with `section.key=value` overrides; ValueError if invalid."""
    text = recipe_text(name_or_path)
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{name_or_path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{name_or_path} holds no mapping of recipe keys")
    for override in overrides:
        _apply(values, override)
    return parse_recipe(values)


def parse_recipe(values: dict[str, Any]) -> Recipe:
    """Validate plain values; the first problem becomes one sentence with its mend."""
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None
    return recipe.model_copy(update={"run": filesystem.absolute(recipe.run)})


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals:
        raise ValueError(f"'{override}' is no override; write section.key=value, for example student.layers=3")
    *sections, key = path.split(".")
    for section in sections:
        below = values.setdefault(section, {})
        if not isinstance(below, dict):
            raise ValueError(f"recipe key '{path}': '{section}' is a value, not a section")
        values = below
    try:
        values[key] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"'{override}': the value is not valid YAML; write a list as [a, b]") from error


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = [str(part) for part in problem["loc"]]
    path = ".".join(where)
    if problem["type"] == "extra_forbidden":
        known = _keys_of(where[:-1])
        near = difflib.get_close_matches(where[-1], known, 1, cutoff=0.5)
        mend = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return f"unknown recipe key '{path}'; {mend}"
    if problem["type"] == "literal_error":
        choices = [choice.strip("' ") for choice in problem["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(str(problem["input"]), choices, 1, cutoff=0.4)
        mend = f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(choices)}"
        return f"recipe value {path}={problem['input']} is not known; {mend}"
    message = problem["msg"].removeprefix("Value error, ")
    return f"recipe value {path}={problem['input']!r}: {message}" if path else message


def _keys_of(sections: Sequence[str]) -> list[str]:
    model: Any = Recipe
    for section in sections:
        model = model.model_fields[section].annotation
    return list(model.model_fields)
