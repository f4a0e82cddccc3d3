"""`ssl-asr export`: from one model of a finished run to a bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from ssl_asr.decoding.decoder import DecodingGraph
from ssl_asr.evaluation.error_rates import ALL, WordErrors
from ssl_asr.hmm.senone_names import names_of
from ssl_asr.lang.fst_arrays import from_numpy, parse
from ssl_asr.lang.language import AMERICAN_ENGLISH, language_of
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import inputs_key
from ssl_asr.serving import description as bundle
from ssl_asr.serving.description import (
    ConfidenceCurve,
    File,
    FrontendPrior,
    NetworkShape,
    Scoring,
    SearchSettings,
    SenoneDescription,
)
from ssl_asr.serving.exporting.card import model_card
from ssl_asr.serving.exporting.measure import FULL, INT8, Measured, check_against_torch, measure
from ssl_asr.serving.exporting.onnx_export import quantised, to_onnx
from ssl_asr.serving.exporting.publish import check_place, publish
from ssl_asr.serving.exporting.sources import Sources, read_sources
from ssl_asr.serving.graph import LOG_PRIORS, NO_WORD, TABLE
from ssl_asr.serving.network import Network
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri

_PACKAGES = ("ssl-asr", "torch", "onnx", "onnxruntime", "kaldi-native-fbank", "kaldifst", "kaldi-decoder", "numpy")


@dataclass(frozen=True)
class Exported:
    """`difference` is the largest between torch's and the exported network's log posteriors on recorded speech."""

    folder: Path
    bytes: int
    difference: float
    measured: Measured

    def line(self) -> str:
        full, int8 = (row_of_all(self.measured, name) for name in (FULL, INT8))
        return (
            f"{self.folder}: {self.bytes / 1e6:.1f} MB; fp32 within {self.difference:.0e} of torch; "
            f"WER on {self.measured.split} {100 * full.wer:.1f} % fp32, {100 * int8.wer:.1f} % int8"
        )


def export(recipe: Recipe, name: str, folder: Path, split: str = "dev") -> Exported:
    """Write the bundle of the model `name`; fp32 and int8 are compared on `split`, "dev" or "test".

    ValueError in one sentence if the run lacks something, or if `folder` holds other files.
    """
    check_place(folder)
    sources = read_sources(recipe, name)
    network = to_onnx(sources.model)
    models = {bundle.NETWORK: network, bundle.QUANTISED: quantised(network)}
    shape = _shape(sources)
    full, int8 = (Network(data, shape, str(folder / name)) for name, data in models.items())
    difference = check_against_torch(sources, full)
    graph = DecodingGraph(from_numpy(*parse(sources.graph)), sources.words, sources.max_label)
    measured = measure(sources, {FULL: full, INT8: int8}, graph, split)
    files = {**models, **_other_files(sources)}
    described = _describe(sources, shape, files)
    card = model_card(sources, described, measured)
    publish(folder, {**files, bundle.CARD: card.encode(), bundle.DESCRIPTION: described.to_json()})
    return Exported(folder, sum(map(len, files.values())), difference, measured)


def row_of_all(measured: Measured, system: str) -> WordErrors:
    return next(r for r in measured.rows if (r.system, r.set, r.condition) == (system, ALL, ALL))


def _shape(sources: Sources) -> NetworkShape:
    spec = sources.model.spec
    return NetworkShape(
        inputs=spec.inputs,
        senones=spec.outputs,
        look_ahead=sources.model.encoder.look_ahead,
        kind=spec.network.kind,
    )


def _other_files(sources: Sources) -> dict[str, bytes]:
    senones: dict[str, npt.NDArray[Any]] = {
        TABLE: sources.senones.table.astype(np.uint16),
        LOG_PRIORS: sources.log_priors,
    }
    words = enumerate((NO_WORD, *sources.words))
    tokens = enumerate(names_of(sources.senones).names)
    return {
        bundle.WEIGHTS: filesystem.read_bytes(model_uri(sources.recipe.run, sources.name)),
        bundle.GRAPH: sources.graph,
        bundle.WORDS: "".join(f"{word} {number}\n" for number, word in words).encode(),
        bundle.LEXICON: sources.lexicon.to_text().encode(),
        bundle.PHONES: sources.lexicon.phones.to_text().encode(),
        bundle.TOKENS: "".join(f"{name.replace(' ', '_')} {number}\n" for number, name in tokens).encode(),
        bundle.SENONES: save(senones),
    }


def _describe(sources: Sources, shape: NetworkShape, files: Mapping[str, bytes]) -> SenoneDescription:
    settings = sources.recipe.evaluate
    curve = sources.curve
    return SenoneDescription(
        format=bundle.FORMAT,
        name=sources.recipe.name,
        model=sources.name,
        language=language_code(sources.recipe),
        senone_set=sources.senones.id,
        results=inputs_key(sources.results.inputs),
        frontend=sources.recipe.frontend,
        prior=FrontendPrior(mean=sources.prior.mean, level=sources.prior.level),
        network=shape,
        scoring=Scoring(acoustic_scale=sources.scales.kappa, prior_scale=sources.scales.prior),
        search=SearchSettings(beam=settings.beam, max_active=settings.max_active, lattice_beam=settings.lattice_beam),
        confidence=ConfidenceCurve()
        if curve is None
        else ConfidenceCurve(intercept=curve.intercept, slope=curve.slope, per_second=curve.per_second),
        versions=versions(),
        files=listed(files),
    )


def listed(files: Mapping[str, bytes]) -> dict[str, File]:
    """Sizes and checksums of files by name."""
    return {name: File(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()}


def versions() -> dict[str, str]:
    """Of the packages that a bundle depends on."""
    return {name: _version(name) for name in _PACKAGES}


def language_code(recipe: Recipe) -> Literal["en", "und"]:
    return "en" if language_of(recipe.hmm.lexicon) == AMERICAN_ENGLISH else "und"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
