"""`ssl-asr export RUN --model TRANSDUCER --for sherpa-onnx`: a transducer as the files that sherpa-onnx reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ssl_asr.decoding.scores import FRAME_SECONDS
from ssl_asr.frontend.stacking import STACK
from ssl_asr.recipe import Recipe
from ssl_asr.serving.description import CARD, TOKENS
from ssl_asr.serving.exporting.publish import check_place, publish
from ssl_asr.serving.exporting.sherpa.export import BLOCK, PROGRAM, SETTINGS, SherpaExported
from ssl_asr.serving.exporting.sherpa.front_end import FrontEnd
from ssl_asr.serving.exporting.sherpa.readme import transducer_readme
from ssl_asr.serving.exporting.sherpa.transducer_networks import (
    check_for_sherpa,
    decoder_for_sherpa,
    encoder_for_sherpa,
    joiner_for_sherpa,
)
from ssl_asr.serving.exporting.transducers.sources import TransducerSources, read_transducer_sources

ENCODER: Final = "encoder.onnx"
DECODER: Final = "decoder.onnx"
JOINER: Final = "joiner.onnx"


@dataclass(frozen=True)
class SherpaTransducerSettings:
    """What sherpa-onnx has to be told beside the files, and what its times mean."""

    sample_rate: int
    feature_dim: int
    low_freq: float
    high_freq: float
    normalize_samples: bool
    decoding_method: str
    frame_seconds: float
    first_frames: int

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def export_sherpa_transducer(recipe: Recipe, name: str, folder: Path) -> SherpaExported:
    """Write the files; ValueError in one sentence if sherpa-onnx can't run it, or if `folder` holds other files."""
    check_place(folder, SETTINGS)
    files = transducer_files(read_transducer_sources(recipe, name))
    publish(folder, files, SETTINGS)
    return SherpaExported(folder, sum(map(len, files.values())))


def transducer_files(sources: TransducerSources) -> dict[str, bytes]:
    """By name."""
    recipe, model = sources.recipe, sources.model
    check_for_sherpa(model)
    front = FrontEnd(recipe.frontend, sources.prior.array(), sources.prior.level, STACK * BLOCK)
    tokens = "".join(f"{piece} {number}\n" for number, piece in enumerate(sources.pieces.pieces))
    program = resources.files(__package__) / "recognise_transducer.py"
    title = f"{recipe.name} {sources.name}"
    return {
        ENCODER: encoder_for_sherpa(model, front),
        DECODER: decoder_for_sherpa(model),
        JOINER: joiner_for_sherpa(model),
        TOKENS: tokens.encode(),
        SETTINGS: settings_of(sources).to_json(),
        PROGRAM: program.read_bytes(),
        CARD: transducer_readme(title, frame=FRAME_SECONDS, first=model.encoder.look_ahead).encode(),
    }


def settings_of(sources: TransducerSources) -> SherpaTransducerSettings:
    frontend = sources.recipe.frontend
    return SherpaTransducerSettings(
        sample_rate=frontend.sample_rate,
        feature_dim=frontend.mel_bins,
        low_freq=frontend.low_hz,
        high_freq=frontend.high_hz,
        normalize_samples=False,
        decoding_method="greedy_search",
        frame_seconds=FRAME_SECONDS,
        first_frames=sources.model.encoder.look_ahead,
    )
