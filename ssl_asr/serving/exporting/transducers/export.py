"""`ssl-asr export --model TRANSDUCER`: from a transducer of a run to a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ssl_asr.evaluation.error_rates import ALL, WordErrors
from ssl_asr.recipe import Recipe
from ssl_asr.serving import description as bundle
from ssl_asr.serving.description import EncoderShape, FrontendPrior, PieceSearchSettings, TransducerDescription
from ssl_asr.serving.exporting.export import language_code, listed, versions
from ssl_asr.serving.exporting.publish import check_place, publish
from ssl_asr.serving.exporting.transducers.card import transducer_card
from ssl_asr.serving.exporting.transducers.measure import check_transducer_against_torch, measure_transducer
from ssl_asr.serving.exporting.transducers.measure_conversations import measure_conversations
from ssl_asr.serving.exporting.transducers.networks import (
    encoder_onnx,
    joiner_onnx,
    output_channels,
    predictor_onnx,
)
from ssl_asr.serving.exporting.transducers.sources import TransducerSources, read_transducer_sources
from ssl_asr.serving.network import Network, open_session
from ssl_asr.serving.transducers.networks import ENCODED, StepNetworks
from ssl_asr.store import filesystem
from ssl_asr.store.training_layout import model_uri


@dataclass(frozen=True)
class ExportedTransducer:
    """`difference` is the largest between torch's and the exported networks' log-probabilities on recorded speech.

    `rows` are word errors on `split`, and `rate_name` is what their rate is called.
    """

    folder: Path
    bytes: int
    difference: float
    split: str
    rows: tuple[WordErrors, ...]
    rate_name: str

    def line(self) -> str:
        everything = next(row for row in self.rows if (row.set, row.condition) == (ALL, ALL))
        return (
            f"{self.folder}: {self.bytes / 1e6:.1f} MB; within {self.difference:.0e} of torch; "
            f"{self.rate_name} on {self.split} {100 * everything.wer:.1f} %"
        )


def export_transducer(recipe: Recipe, name: str, folder: Path, split: str = "dev") -> ExportedTransducer:
    """Write the bundle of the recipe's transducer `name`; its words are counted on `split`, "dev" or "test".

    ValueError in one sentence if the run lacks something, or if `folder` holds other files.
    """
    check_place(folder)
    sources = read_transducer_sources(recipe, name)
    model = sources.model
    networks = {
        bundle.ENCODER: encoder_onnx(model),
        bundle.PREDICTOR: predictor_onnx(model),
        bundle.JOINER: joiner_onnx(model),
    }
    shape = EncoderShape(
        inputs=model.spec.inputs,
        look_ahead=model.encoder.look_ahead,
        kind=model.spec.network.kind,
        joiner=model.spec.joiner,
        channels=output_channels(model),
    )
    encoder = Network(networks[bundle.ENCODER], shape, str(folder / bundle.ENCODER), output=ENCODED)
    sessions = [open_session(networks[each], str(folder / each)) for each in (bundle.PREDICTOR, bundle.JOINER)]
    steps = StepNetworks(*sessions, width=model.spec.joiner, outputs=model.spec.outputs)
    difference = check_transducer_against_torch(sources, encoder, steps)
    measured = measure_conversations if sources.conversing else measure_transducer
    rows = measured(sources, encoder, steps, split)
    files = {
        **networks,
        bundle.TOKENS: "".join(f"{piece} {number}\n" for number, piece in enumerate(sources.pieces.pieces)).encode(),
        bundle.WORD_PIECES: sources.pieces.model,
        bundle.WEIGHTS: filesystem.read_bytes(model_uri(recipe.run, name)),
    }
    described = _describe(sources, shape, files)
    card = transducer_card(sources, described, split, rows)
    publish(folder, {**files, bundle.CARD: card.encode(), bundle.DESCRIPTION: described.to_json()})
    size = sum(map(len, files.values()))
    return ExportedTransducer(folder, size, difference, split, rows, sources.rate_name)


def _describe(sources: TransducerSources, shape: EncoderShape, files: Mapping[str, bytes]) -> TransducerDescription:
    return TransducerDescription(
        format=bundle.FORMAT,
        kind=bundle.TRANSDUCER,
        name=sources.recipe.name,
        model=sources.name,
        language=language_code(sources.recipe),
        results=sources.results,
        frontend=sources.recipe.frontend,
        prior=FrontendPrior(mean=sources.prior.mean, level=sources.prior.level),
        network=shape,
        outputs=len(sources.pieces),
        symbols=tuple(sorted(sources.pieces.symbols)),
        search=PieceSearchSettings(beam=sources.search.beam, max_symbols=sources.search.max_symbols),
        versions=versions(),
        files=listed(files),
    )
