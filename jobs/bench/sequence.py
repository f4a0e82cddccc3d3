"""What sequence training gains on a finished run: `python -m jobs.bench.sequence RUN OUT [--models teacher student]`.

OUT gets a copy of the run without its results, in which the stage of each named model goes on with `--epochs` epochs
of sMBR (default 3) from the model that is there. What is there already is not made again. The models before and after
are tuned on dev and decode all of test, as in the evaluate stage. With `--on dev`, for choices, nothing sees test. It
prints for each model the word error rates, the relative reduction with its 95 % interval over recordings, the
insertions and deletions, and the seconds of the stage, lattices included; then one JSON object as the last line. A
student's targets stay those of the teacher before sequence training.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

from ssl_asr.cli.values import whole
from ssl_asr.decoding.graph_files import graph_inputs, make_graph
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.decisions import decide
from ssl_asr.evaluation.error_rates import ALL
from ssl_asr.evaluation.inputs import describe_system, language_inputs, references, split_slabs
from ssl_asr.evaluation.slab_tasks import decode
from ssl_asr.evaluation.summary import Scored, reductions, score, word_errors
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.systems import STUDENT, TEACHER, smbr_name
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.cluster import joined
from ssl_asr.runtime.pipeline import run_stage
from ssl_asr.runtime.run_directory import open_recipe, save_recipe, start_from
from ssl_asr.store import filesystem
from ssl_asr.store.layout import recipe_uri

HEAD = f"{'':<10}{'WER':>8}{'sMBR':>8}{'gain':>8}{'interval':>16}{'ins':>14}{'del':>16}{'seconds':>9}"


@dataclass(frozen=True)
class Outcome:
    """Of one model on all of the split, rates in percent; the reduction is relative to the model before."""

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
    parser.add_argument("--epochs", type=whole(1, 100), default=3, help="of sMBR (default: 3)")
    parser.add_argument("--on", choices=("dev", "test"), default="test", help="what is scored (default: test)")
    options = parser.parse_args()
    try:
        start_from(options.out, finished_run(options.run))
        found = []
        for name in options.models:
            # Of one model at a time: with another teacher the student's targets would be out of date.
            epochs = [f"{each}.sequence.epochs={options.epochs * (each == name)}" for each in (TEACHER, STUDENT)]
            found.append(outcome(open_recipe(options.out, [*options.overrides, *epochs]), name, options.on))
            print(*([HEAD] if len(found) == 1 else []), _line(found[-1]), sep="\n", flush=True)
    except ValueError as error:
        sys.exit(f"sequence: {error}")
    print(json.dumps({each.model: asdict(each) for each in found}))


def _line(each: Outcome) -> str:
    interval = f"{each.low:.2f} to {each.high:.2f}"
    insertions = f"{each.insertions} > {each.insertions_smbr}"
    deletions = f"{each.deletions} > {each.deletions_smbr}"
    rates = f"{each.wer:>8.2f}{each.wer_smbr:>8.2f}{each.reduction:>8.2f}{interval:>16}"
    return f"{each.model:<10}{rates}{insertions:>14}{deletions:>16}{each.seconds:>9.0f}"


def finished_run(target: str) -> str:
    """The run that `target` names; ValueError if there is none."""
    run = open_recipe(target).run
    if not filesystem.exists(recipe_uri(run)):
        raise ValueError(f"there is no run at {run}; make it with ssl-asr run")
    return run


def outcome(recipe: Recipe, name: str, split: str) -> Outcome:
    save_recipe(recipe)
    senones = load_senones(recipe.run)
    dev, said_in_dev = split_slabs(recipe, "dev", senones), references(recipe, "dev")
    scored_slabs, said = split_slabs(recipe, split, senones), references(recipe, split)
    with joined():
        began = time.monotonic()
        run_stage(name, recipe)
        seconds = time.monotonic() - began
        graph = make_graph(
            recipe.run, recipe.evaluate.lm_order, graph_inputs(recipe.run, senones.id, language_inputs(recipe))
        )
        systems = [describe_system(recipe, each, graph, senones) for each in (name, smbr_name(name))]
        decided = decide(recipe, systems, dev, said_in_dev)
        wanted = {system: [decided.scales[system.name]] for system in systems}
        decoded, _ = decode(f"decoding {split}", wanted, scored_slabs)
    scored = {each: score(said, by[decided.scales[each]]) for each, by in decoded.items()}
    return _outcome(name, scored, Draws(recipe.evaluate.bootstrap, recipe.seed), seconds)


def _outcome(name: str, scored: Scored, draws: Draws, seconds: float) -> Outcome:
    before, after = (
        next(row for row in word_errors(scored, draws) if (row.system, row.set, row.condition) == (each, ALL, ALL))
        for each in (name, smbr_name(name))
    )
    gains = reductions(scored[name], scored[smbr_name(name)], draws)
    gain = next(each for each in gains if (each.set, each.condition) == (ALL, ALL))
    return Outcome(
        model=name,
        wer=100 * before.wer,
        wer_smbr=100 * after.wer,
        reduction=100 * gain.werr,
        low=100 * gain.low,
        high=100 * gain.high,
        insertions=before.insertions,
        insertions_smbr=after.insertions,
        deletions=before.deletions,
        deletions_smbr=after.deletions,
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
