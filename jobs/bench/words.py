"""What lattices for people cost, and how good the word confidences and times are that come from them.

`python -m jobs.bench.words RUN [--system NAME] [--slabs N]` decodes N slabs of dev and N of test, spread over the
split, twice on one core: by the plain search, and by lattices. RUN is an evaluated run; the scales are those that its
evaluation chose. It prints seconds of audio a second of one core for both, the network included, and for the test
slabs: the normalised cross-entropy of confidences and of the lattice's posteriors, by how many seconds word starts
differ from the forced alignment, mean and median, and how many lattices are those of the smaller beam. The curve of
confidences is fitted on the dev slabs. Then one JSON object as the last line. What is decoded is deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.decoding.scores import Scales
from ssl_asr.decoding.slab_decoding import decode_slab
from ssl_asr.decoding.slab_words import SlabWords, find_words, lattice_system, read_words
from ssl_asr.decoding.slabs import DecodedSlab, Slab, System, read_result
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.reference_times import Span, reference_times, slabs_to_time
from ssl_asr.evaluation.results_file import read_results
from ssl_asr.evaluation.word_quality import WordQuality, learn_curve, measure_words
from ssl_asr.hmm.senones import load_senones
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.run_directory import open_recipe
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import decoding_folder


@dataclass(frozen=True)
class Found:
    """What both ways found in some slabs of a split."""

    slabs: Sequence[Slab]
    plain: Sequence[DecodedSlab]
    words: Sequence[SlabWords]

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="an evaluated run")
    parser.add_argument("--system", default="student", help="whose words (default: student)")
    parser.add_argument("--slabs", type=int, default=8, help="of dev and of test, at most (default: 8)")
    options = parser.parse_args()
    try:
        recipe = open_recipe(options.run)
        dev, test = find(recipe, options.system, options.slabs)
        quality = measure(recipe, dev, test)
    except ValueError as error:
        sys.exit(f"words: {error}")
    spent = {"search": sum(each.spent for each in test.plain), "lattices": sum(each.spent for each in test.words)}
    speed = {f"{name}_x_real_time": round(test.seconds / seconds, 1) for name, seconds in spent.items()}
    print(f"{options.system}: {dev.seconds / 60:.1f} minutes of dev, {test.seconds / 60:.1f} of test")
    of_words = {name: value for name, value in asdict(quality).items() if name not in ("bins", "x_real_time")}
    figures = {**speed, **of_words}
    for name, value in figures.items():
        print(f"{name:<22}{_text(value):>12}")
    print(json.dumps({"system": options.system, "minutes": round(test.seconds / 60, 1), **figures}))


def find(recipe: Recipe, name: str, most: int) -> tuple[Found, Found]:
    """(dev, test); ValueError if the run is not evaluated or lacks the system."""
    results, senones = read_results(recipe.run), load_senones(recipe.run)
    if name not in results.kappa:
        raise ValueError(f"{recipe.run} has no system {name!r}; it has {', '.join(results.kappa)}")
    scales = Scales(results.kappa[name], results.prior_scale.get(name, 1.0))
    graph_parts = graph_inputs(recipe.run, senones.id, language_inputs(recipe))
    graph = make_graph(recipe.run, recipe.evaluate.lm_order, graph_parts)
    # A key of its own: nothing that the run has is read or replaced.
    system = replace(describe_system(recipe, name, graph, senones), key=f"bench-{os.getpid()}")
    beam, splits = recipe.evaluate.lattice_beam, [split_slabs(recipe, each, senones) for each in ("dev", "test")]
    chosen = [slabs[:: -(-len(slabs) // most)] for slabs in splits]
    progress = Progress("decoding", sum(map(len, chosen)), "slabs")
    try:
        dev, test = (_found(system, slabs, scales, beam, progress) for slabs in chosen)
    finally:
        for each in (system, lattice_system(system, beam)):
            filesystem.delete(decoding_folder(recipe.run, each.key))
    return dev, test


def _found(system: System, slabs: Sequence[Slab], scales: Scales, beam: float, progress: Progress) -> Found:
    plain, words = [], []
    for slab in slabs:
        decode_slab(system, slab, [scales])
        find_words(system, slab, scales, beam)
        decoded, recognised = read_result(system, slab, scales), read_words(system, slab, scales, beam)
        assert decoded is not None, "it was made just now"
        assert recognised is not None, "it was made just now"
        plain.append(decoded)
        words.append(recognised)
        progress.advance()
    return Found(slabs, plain, words)


def measure(recipe: Recipe, dev: Found, test: Found) -> WordQuality:
    said = references(recipe, "test")
    spoken: dict[str, list[Span]] = {}
    for slab in slabs_to_time(recipe.run, test.slabs, said):
        spoken |= reference_times(slab)
    curve = learn_curve(dev.words, references(recipe, "dev"))
    return measure_words(test.words, said, curve=curve, spoken=spoken, seconds=test.seconds)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{each:.2f}" for each in value.values())
    return f"{value:.3g}" if isinstance(value, float) else "-" if value is None else f"{value:,}"


if __name__ == "__main__":
    main()
