"""What sequence training gains on a finished run: `python jobs/bench/sequence.py RUN OUT [--models teacher student]`.

OUT gets a copy of the run without its results, in which the stage of each named model goes on with
`--epochs` epochs of sMBR (default 3) from the model that is there; it is made once, and continued if it was stopped.
The model before and after are tuned on dev and decode all of test, as the evaluate stage does it. For each it prints
the word error rate of test, insertions and deletions, and the relative reduction with its 95 % interval, paired by
utterance; then the seconds of training, lattices included, and one JSON object as the last line. A student's teacher
stays as it was: its targets are those of the model before sequence training.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.decisions import decide
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.results import ALL
from ssl_asr.evaluation.slab_tasks import decode
from ssl_asr.evaluation.summary import reductions, score, word_errors
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.systems import STUDENT, TEACHER, smbr_name
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.pipeline import run_stage
from ssl_asr.runtime.run_directory import open_recipe, save_recipe

LEFT_OUT = ("decoding", "report", "tensorboard", "training")


@dataclass(frozen=True)
class Outcome:
    """Of one model on all of test, rates in percent; the reduction is relative to the model before."""

    model: str
    wer: float
    wer_smbr: float
    reduction: float
    low: float
    high: float
    insertions: int
    insertions_smbr: int
    deletions: int
    deletions_smbr: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="a finished run")
    parser.add_argument("out", metavar="OUT", help="the folder of its copy")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as teacher.sequence.kappa=0.2")
    parser.add_argument("--models", nargs="+", choices=(TEACHER, STUDENT), default=[TEACHER, STUDENT])
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    try:
        copied(Path(options.run), Path(options.out))
        found = [
            outcome(open_recipe(options.out, [*options.overrides, f"{name}.sequence.epochs={options.epochs}"]), name)
            for name in options.models
        ]
    except ValueError as error:
        sys.exit(f"sequence: {error}")
    print(f"{'':<10}{'WER':>8}{'sMBR':>8}{'gain':>8}{'interval':>16}{'ins':>12}{'del':>14}{'seconds':>9}")
    for each in found:
        insertions, deletions = (
            f"{before} > {after}"
            for before, after in (
                (each.insertions, each.insertions_smbr),
                (each.deletions, each.deletions_smbr),
            )
        )
        print(
            f"{each.model:<10}{each.wer:>8.2f}{each.wer_smbr:>8.2f}{each.reduction:>8.2f}"
            f"{f'{each.low:.2f} to {each.high:.2f}':>16}{insertions:>12}{deletions:>14}{each.seconds:>9.0f}"
        )
    print(json.dumps({each.model: asdict(each) for each in found}))


def copied(run: Path, out: Path) -> None:
    """The run itself is not touched."""
    if out.exists():
        return
    shutil.copytree(run, out, ignore=lambda folder, _: LEFT_OUT if Path(folder) == run else ())


def outcome(recipe: Recipe, name: str) -> Outcome:
    save_recipe(recipe)
    senones = load_senones(recipe.run)
    dev, test = (split_slabs(recipe, split, senones) for split in ("dev", "test"))
    dev_utterances, test_utterances = (references(recipe, split) for split in ("dev", "test"))
    with joined():
        began = time.monotonic()
        run_stage(name, recipe)
        seconds = time.monotonic() - began
        graph = make_graph(
            recipe.run, recipe.evaluate.lm_order, graph_inputs(recipe.run, senones.id, language_inputs(recipe))
        )
        systems = [describe_system(recipe, each, graph, senones) for each in (name, smbr_name(name))]
        decided = decide(recipe, systems, dev, dev_utterances)
        wanted = {system: [decided.scales[system.name]] for system in systems}
        decoded, _ = decode("decoding test", wanted, test)
    scored = {each: score(test_utterances, by[decided.scales[each]]) for each, by in decoded.items()}
    return _outcome(name, scored, Draws(recipe.evaluate.bootstrap, recipe.seed), seconds)


def _outcome(name: str, scored: Mapping[str, Sequence], draws: Draws, seconds: float) -> Outcome:
    before, after = (
        next(row for row in word_errors(scored, draws) if (row.system, row.set, row.condition) == (each, ALL, ALL))
        for each in (name, smbr_name(name))
    )
    gain = next(
        each
        for each in reductions(scored[name], scored[smbr_name(name)], draws)
        if (each.set, each.condition) == (ALL, ALL)
    )
    return Outcome(
        name,
        100 * before.wer,
        100 * after.wer,
        100 * gain.werr,
        100 * gain.low,
        100 * gain.high,
        before.insertions,
        after.insertions,
        before.deletions,
        after.deletions,
        seconds,
    )


if __name__ == "__main__":
    main()
