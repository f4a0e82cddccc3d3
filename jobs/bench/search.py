"""How the limits of the search decide word errors and the cost of a live stream.

`python -m jobs.bench.search RUN BUNDLE [--max-active 500,1000,...] [--beam 10,...]` searches the dev speech of RUN,
as its evaluate stage does, by the network of BUNDLE, which is that of the run's student. It prints for each pair of
limits the word error rate, its reduction relative to BUNDLE's own limits with a 95 % interval over recordings, and
how many times faster than real time one core is: in the search alone, and in the whole stream of some utterances,
heard in chunks of 100 ms with a partial result after each and confidences at the end. Times are processor times. One
JSON object is the last line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from jobs.bench.recorded import Samples, audio_of
from ssl_asr.decoding.decoder import Decoder
from ssl_asr.evaluation.bootstrap import Draws, compare
from ssl_asr.evaluation.inputs import references, split_slabs
from ssl_asr.evaluation.scoring import Edits, ScoredUtterance, count_edits
from ssl_asr.models.systems import STUDENT
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.serving.description import SearchSettings
from ssl_asr.serving.exporting.measure import scores_of, utterances_of
from ssl_asr.serving.exporting.sources import read_sources
from ssl_asr.serving.senone_engine import SenoneEngine
from ssl_asr.store.utterance import CLEAN, Utterance

STREAMS = 10
CHUNK_SECONDS = 0.1
DRAWS = Draws(2000, seed=1)


@dataclass
class Limits:
    """What was found with these settings; times in seconds of a processor."""

    settings: SearchSettings
    scored: list[ScoredUtterance] = field(default_factory=list)
    search: float = 0.0
    stream: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.settings.beam:g}/{self.settings.max_active}"

    @property
    def wer(self) -> float:
        return 100 * sum((each.edits for each in self.scored), Edits()).word_error_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--max-active", default="500,1000,1500,2000,3000,5000", metavar="N,...")
    parser.add_argument("--beam", metavar="NATS,...", help="default: the bundle's")
    options = parser.parse_args()
    try:
        engine, recipe = SenoneEngine.open(options.bundle), open_recipe(options.run)
        own, *others = wanted(engine, options.beam, options.max_active)
        seconds = search(engine, recipe, [own, *others])
        heard = listen(engine, recipe, [own, *others])
    except ValueError as error:
        sys.exit(f"search: {error}")
    print(f"{'beam':>5}{'max_active':>12}{'WER %':>8}{'fewer errors %':>22}{'search x':>10}{'stream x':>10}")
    rows = sorted([own, *others], key=lambda each: (each.settings.beam, each.settings.max_active))
    for each in rows:
        gain = compare(own.scored, each.scored, DRAWS).reduction
        fewer = f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
        print(
            f"{each.settings.beam:>5g}{each.settings.max_active:>12,}{each.wer:>8.1f}{fewer:>22}"
            f"{seconds / each.search:>10.0f}{heard / each.stream:>10.1f}"
        )
    print(json.dumps({"wer": {each.name: round(each.wer, 2) for each in rows}}))


def wanted(engine: SenoneEngine, beams: str | None, limits: str) -> list[Limits]:
    """The bundle's own settings first, then the others."""
    own = engine.bundle.description.search
    pairs = product((beams or f"{own.beam:g}").split(","), limits.split(","))
    settings = [own.model_copy(update={"beam": float(beam), "max_active": int(limit)}) for beam, limit in pairs]
    return [Limits(each) for each in (own, *(each for each in settings if each != own))]


def search(engine: SenoneEngine, recipe: Recipe, limits: Sequence[Limits]) -> float:
    """All of dev by the run's own features; returns its seconds. Settings take turns, by the utterance."""
    sources, said, seconds = read_sources(recipe, STUDENT), references(recipe, "dev"), 0.0
    decoders = [Decoder(engine.graph, each.settings.beam, each.settings.max_active) for each in limits]
    progress = Progress("searching dev", len(said), "utterances")
    for name, frames in utterances_of(recipe, split_slabs(recipe, "dev", sources.senones)):
        utterance = said[name]
        scores = scores_of(engine.network, frames, engine.senones.log_priors, engine.scales)
        seconds += utterance.duration
        for each, decoder in zip(limits, decoders, strict=True):
            began = time.process_time()
            words = decoder.decode(scores)
            each.search += time.process_time() - began
            each.scored.append(scored(utterance, words))
        progress.advance()
    return seconds


def scored(utterance: Utterance, words: Sequence[str]) -> ScoredUtterance:
    edits = count_edits((utterance.text or "").split(), words)
    place = (utterance.id, utterance.recording, "dev", utterance.condition)
    return ScoredUtterance(*place, edits, utterance.speaker)


def listen(engine: SenoneEngine, recipe: Recipe, limits: Sequence[Limits]) -> float:
    """Some clean utterances of dev as streams; returns their seconds."""
    clean = [each for each in references(recipe, "dev").values() if each.condition == CLEAN]
    rate, seconds = engine.sample_rate, 0.0
    engines = [limited(engine, each.settings) for each in limits]
    for utterance in clean[:: max(1, len(clean) // STREAMS)]:
        samples = audio_of(utterance, rate)
        seconds += len(samples) / rate
        for each, other in zip(limits, engines, strict=True):
            began = time.process_time()
            stream(other, samples)
            each.stream += time.process_time() - began
    return seconds


def limited(engine: SenoneEngine, settings: SearchSettings) -> SenoneEngine:
    description = engine.bundle.description.model_copy(update={"search": settings})
    return replace(engine, bundle=replace(engine.bundle, description=description))


def stream(engine: SenoneEngine, samples: Samples) -> None:
    heard, chunk = engine.stream(), round(CHUNK_SECONDS * engine.sample_rate)
    for begin in range(0, len(samples), chunk):
        heard.accept(samples[begin : begin + chunk])
        heard.partial()
    heard.finish()


if __name__ == "__main__":
    main()
