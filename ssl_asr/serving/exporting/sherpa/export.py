"""`ssl-asr export RUN --for sherpa-onnx`: one model of a finished run as the files that sherpa-onnx reads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ssl_asr.decoding.scores import FRAME_SECONDS
from ssl_asr.frontend.lfbe import FRAME_SECONDS as ENERGY_SECONDS
from ssl_asr.frontend.stacking import STACK
from ssl_asr.hmm.senone_names import names_of
from ssl_asr.hmm.senones import SILENCE_SENONE
from ssl_asr.lang.fst_arrays import parse, serialise
from ssl_asr.recipe import Recipe
from ssl_asr.serving.description import CARD, GRAPH, NETWORK, TOKENS, WORDS
from ssl_asr.serving.exporting.publish import check_place, publish
from ssl_asr.serving.exporting.sherpa.front_end import FrontEnd
from ssl_asr.serving.exporting.sherpa.graph import after_silence
from ssl_asr.serving.exporting.sherpa.network import to_sherpa
from ssl_asr.serving.exporting.sherpa.readme import readme
from ssl_asr.serving.exporting.sources import Sources, read_sources
from ssl_asr.serving.graph import NO_WORD

SETTINGS: Final = "sherpa-onnx.json"
PROGRAM: Final = "recognise.py"
BLOCK = 3  # 30 ms frames that the network takes at a time, as the engine
_BLANK = "<blk>"  # the token whose frames sherpa-onnx counts as silence


@dataclass(frozen=True)
class SherpaSettings:
    """What sherpa-onnx has to be told beside the files, and what its times mean."""

    model_type: str
    sample_rate: int
    feature_dim: int
    low_freq: float
    high_freq: float
    normalize_samples: bool
    ctc_max_active: int
    chunk_seconds: float
    frame_seconds: float
    first_frames: int

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


@dataclass(frozen=True)
class SherpaExported:
    folder: Path
    bytes: int

    def line(self) -> str:
        return f"{self.folder}: {self.bytes / 1e6:.1f} MB for sherpa-onnx; {CARD} there says how to use it"


def export_sherpa(recipe: Recipe, name: str, folder: Path) -> SherpaExported:
    """Write the files; ValueError in one sentence if the run lacks something, or if `folder` holds other files."""
    check_place(folder, SETTINGS)
    files = sherpa_files(read_sources(recipe, name))
    publish(folder, files, SETTINGS)
    return SherpaExported(folder, sum(map(len, files.values())))


def sherpa_files(sources: Sources) -> dict[str, bytes]:
    """By name."""
    recipe = sources.recipe
    front = FrontEnd(recipe.frontend, sources.prior.array(), sources.prior.level, STACK * BLOCK)
    ahead = sources.model.encoder.look_ahead
    settings = settings_of(recipe, ahead)
    tokens = [name.replace(" ", "_") for name in names_of(sources.senones).names]
    tokens[SILENCE_SENONE] = _BLANK
    return {
        NETWORK: to_sherpa(sources.model, front, sources.log_priors, sources.scales),
        GRAPH: serialise(*after_silence(parse(sources.graph), ahead)),
        TOKENS: _numbered(tokens),
        WORDS: _numbered([NO_WORD, *sources.words]),
        SETTINGS: settings.to_json(),
        PROGRAM: (resources.files(__package__) / "recognise.py").read_bytes(),
        CARD: readme(f"{recipe.name} {sources.name}", frame=FRAME_SECONDS, first=ahead).encode(),
    }


def settings_of(recipe: Recipe, look_ahead: int) -> SherpaSettings:
    frontend = recipe.frontend
    return SherpaSettings(
        model_type="zipformer2_ctc",
        sample_rate=frontend.sample_rate,
        feature_dim=frontend.mel_bins,
        low_freq=frontend.low_hz,
        high_freq=frontend.high_hz,
        normalize_samples=False,
        ctc_max_active=recipe.evaluate.max_active,
        chunk_seconds=round(BLOCK * STACK * ENERGY_SECONDS, 3),
        frame_seconds=FRAME_SECONDS,
        first_frames=look_ahead,
    )


def _numbered(names: list[str]) -> bytes:
    return "".join(f"{name} {number}\n" for number, name in enumerate(names)).encode()
