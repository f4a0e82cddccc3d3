"""What `bundle.json` says: all that the engine has to know beside the files, typed and checked when it is read.

There are bundles of two kinds of recogniser: a network of senones with a decoding graph, and a transducer, whose
`bundle.json` says so by its `kind`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, model_validator

from ssl_asr.recipe import Frontend
from ssl_asr.recipe.section import Positive, Section

FORMAT: Final = 1  # raise where a bundle of the version before can't be read
DESCRIPTION, CARD = "bundle.json", "README.md"
NETWORK, QUANTISED, WEIGHTS = "model.onnx", "model.int8.onnx", "model.safetensors"
GRAPH, WORDS, LEXICON = "HCLG.fst", "words.txt", "lexicon.txt"
TOKENS, SENONES, PHONES = "tokens.txt", "senones.safetensors", "phones.txt"
# A bundle of an earlier version has no phones.txt: its phones are cmudict's. The others are for people and other
# programs.
NEEDED = (NETWORK, QUANTISED, WEIGHTS, GRAPH, WORDS, LEXICON, TOKENS, SENONES)
TRANSDUCER: Final = "transducer"
ENCODER, PREDICTOR, JOINER, WORD_PIECES = "encoder.onnx", "predictor.onnx", "joiner.onnx", "word-pieces.model"
NEEDED_OF_TRANSDUCER = (ENCODER, PREDICTOR, JOINER, TOKENS, WORD_PIECES, WEIGHTS)

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")]  # so no path
Finite = Annotated[float, Field(allow_inf_nan=False)]
# Limits far beyond what is useful: a stranger's bundle must not take all memory.
LogEnergy = Annotated[float, Field(ge=-1000, le=1000)]
Beam = Annotated[float, Field(gt=0, le=1000)]


class File(Section):
    bytes: Annotated[int, Field(ge=0, le=1 << 32)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FrontendPrior(Section):
    """What a speaker begins with: the corpus mean [mel bins], and the log of the mean power of a mel bin."""

    mean: tuple[LogEnergy, ...]
    level: LogEnergy


class Shape(Section):
    """Of a network that takes frames; its outputs lag its `inputs` by `look_ahead` frames of 30 ms."""

    inputs: Positive
    look_ahead: Annotated[int, Field(ge=0, le=1000)]
    kind: str

    @property
    def outputs(self) -> int:
        """Values of a frame."""
        raise NotImplementedError


class NetworkShape(Shape):
    """Outputs are log posteriors of `senones`."""

    senones: Annotated[int, Field(gt=0, le=65535)]

    @property
    def outputs(self) -> int:
        return self.senones


class EncoderShape(Shape):
    """Outputs are what the joiner takes of a frame, `joiner` values of each output channel.

    A network of more than one channel recognises conversations.
    """

    joiner: Annotated[int, Field(gt=0, le=65535)]
    channels: Annotated[int, Field(gt=0, le=8)] = 1

    @property
    def outputs(self) -> int:
        return self.channels * self.joiner


class Scoring(Section):
    """Score = acoustic_scale x (log posterior - prior_scale x log prior), both as tuned on dev."""

    acoustic_scale: Annotated[float, Field(gt=0, le=1000)]
    prior_scale: Annotated[float, Field(ge=0, le=1000)]


class SearchSettings(Section):
    """Beams in nats; `lattice_beam` is that of word confidences."""

    beam: Beam
    max_active: Annotated[int, Field(gt=0, le=10_000_000)]
    lattice_beam: Beam


class ConfidenceCurve(Section):
    """As `evaluation/confidence.py`; the default leaves a lattice's posteriors as they are."""

    intercept: Finite = 0.0
    slope: Finite = 1.0
    per_second: Finite = 0.0


class PieceSearchSettings(Section):
    """Sequences of labels that are kept, 1: the greedy search; and the most labels in a frame."""

    beam: Annotated[int, Field(gt=0, le=1000)]
    max_symbols: Annotated[int, Field(gt=0, le=100)]


class Description(Section):
    """What bundles of both kinds say. `name` is the run's, `model` the model's in it.

    `results` is the key of the run's results, of which the card's table and, of senones, the scales are.
    """

    format: Literal[1]
    name: str
    model: str
    language: Literal["en", "und"] = "en"  # see lang/language.py
    results: str = ""
    frontend: Frontend
    prior: FrontendPrior
    versions: dict[str, str]
    files: dict[FileName, File]

    def _check(self, network: Shape, needed: Sequence[str]) -> None:
        bins, stack, rate = self.frontend.mel_bins, self.frontend.stack, self.frontend.sample_rate
        if not 4000 <= rate <= 192_000 or bins > 1000:
            raise ValueError(f"{bins} bins of audio at {rate} Hz are not useful")
        if len(self.prior.mean) != bins:
            raise ValueError(f"the prior has {len(self.prior.mean)} bins, the front end {bins}")
        if network.inputs != bins * stack:
            raise ValueError(f"the network has {network.inputs} inputs, the front end makes {bins * stack}")
        if missing := [name for name in needed if name not in self.files]:
            raise ValueError(f"it does not list {', '.join(missing)}")

    def to_json(self) -> bytes:
        return (json.dumps(self.model_dump(mode="json"), indent=1) + "\n").encode()


class SenoneDescription(Description):
    """`senone_set` is the id that model and graph were made for."""

    senone_set: str
    network: NetworkShape
    scoring: Scoring
    search: SearchSettings
    confidence: ConfidenceCurve

    @model_validator(mode="after")
    def _consistent(self) -> SenoneDescription:
        self._check(self.network, NEEDED)
        return self


class TransducerDescription(Description):
    """`outputs` are the word pieces; `symbols` those that are not written, blank among them."""

    kind: Literal["transducer"]
    network: EncoderShape
    outputs: Annotated[int, Field(gt=2, le=65535)]
    symbols: tuple[Annotated[int, Field(ge=0, le=65535)], ...]
    search: PieceSearchSettings

    @model_validator(mode="after")
    def _consistent(self) -> TransducerDescription:
        self._check(self.network, NEEDED_OF_TRANSDUCER)
        if 0 not in self.symbols or max(self.symbols) >= self.outputs:
            raise ValueError(f"the symbols {list(self.symbols)[:20]} are not blank, 0, and others of its outputs")
        return self


def parse_description(data: bytes, place: str) -> Description:
    """ValueError in one sentence that names `place`."""
    try:
        values = json.loads(data)
        found, kind = values.get("format"), values.get("kind")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{place} is not the description of a bundle ({error}); export the bundle again") from None
    if found != FORMAT:
        raise ValueError(
            f"{place} is of format {found!r}, this version reads format {FORMAT}; export the bundle with this version"
        )
    if kind not in (None, TRANSDUCER):
        raise ValueError(f"{place} describes an unknown kind of recogniser, {str(kind)[:50]!r}; use a newer version")
    described = SenoneDescription if kind is None else TransducerDescription
    try:
        return described.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{place}: {where}: {first['msg']}; export the bundle again") from None
