"""The evaluate stage: tunes kappa of every system on dev, decodes the test split, counts errors with intervals.

Ray tasks decode slab by slab, all systems in parallel. Every decoded slab is stored at once, so an interrupted
evaluation continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ssl_asr.decoding.graph_files import GraphInfo, graph_inputs, make_graph, read_vocabulary
from ssl_asr.decoding.slabs import DecodedSlab, Slab, System, decode_slab, read_result
from ssl_asr.evaluation.inputs import (
    check_models,
    describe_system,
    language_inputs,
    references,
    result_inputs,
    split_slabs,
)
from ssl_asr.evaluation.results import Results, read_results, write_results
from ssl_asr.evaluation.summary import frame_accuracies, hypothesis_lines, out_of_vocabulary, score, word_errors
from ssl_asr.evaluation.tuning import best_kappa, describe_kappa
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.systems import SYSTEMS
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, read_rejects, read_report
from ssl_asr.runtime.todo import LANGUAGE_TEXT, RESULTS, SENONE_SET, SENONES, Todo, reasons, upstream, waiting
from ssl_asr.store import filesystem
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST, hypotheses_uri, results_uri
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance

STAGE = "evaluate"
Kappas = Mapping[str, Sequence[float]]  # of each system


def run_evaluate(recipe: Recipe) -> StageReport:
    """Write `decoding/results.json` and the hypotheses; ValueError if a model or a split is missing."""
    senones = load_senones(recipe.run)
    check_models(recipe, senones)
    dev, test = (split_slabs(recipe, split, senones) for split in ("dev", "test"))
    dev_utterances, test_utterances = (references(recipe, split) for split in ("dev", "test"))
    inputs = result_inputs(recipe, senones, dev, test)
    clock = StageClock(recipe, STAGE, inputs_key(inputs))
    pieces, before = len(SYSTEMS) * (len(dev) + len(test)), read_report(recipe, STAGE)
    if before is not None and _kept_inputs(recipe) == inputs:
        return clock.finish(pieces, pieces, read_rejects(recipe, STAGE), before.figures)
    with cluster.joined():
        graph = _made_graph(recipe)
        systems = [describe_system(recipe, name, graph, senones) for name in SYSTEMS]
        kappas = {system.name: recipe.evaluate.kappas for system in systems}
        tuned_on, done = _decode("tuning on dev", systems, dev, kappas)
        kappa = {
            name: best_kappa({each: score(dev_utterances, decoded) for each, decoded in by_kappa.items()})
            for name, by_kappa in tuned_on.items()
        }
        decoded, also_done = _decode("decoding test", systems, test, {name: [kappa[name]] for name in SYSTEMS})
    found = {name: decoded[name][kappa[name]] for name in SYSTEMS}
    results = replace(_results(recipe, graph, kappa, found, test_utterances), inputs=inputs)
    for name in SYSTEMS:
        lines = hypothesis_lines(found[name], test_utterances)
        filesystem.write_bytes(hypotheses_uri(recipe.run, name), lines.encode())
    write_results(recipe.run, results)
    rejects = _rejects(found)
    report = clock.finish(pieces, done + also_done, rejects, _figures(results, recipe))
    check_reject_share(recipe, STAGE, len({reject.id for reject in rejects}), len(test_utterances))
    return report


def todo_evaluate(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    kinds = (MANIFEST, FEATURES, ALIGNMENTS)
    read = [f"{kind}/{split}" for kind in kinds for split in ("dev", "test")]
    if causes := upstream(before, *read, *SYSTEMS, LANGUAGE_TEXT, SENONES, SENONE_SET):
        return [waiting(RESULTS, causes)]
    senones = load_senones(recipe.run)
    dev, test = (split_slabs(recipe, split, senones) for split in ("dev", "test"))
    why = reasons(_kept_inputs(recipe), result_inputs(recipe, senones, dev, test))
    return [Todo(RESULTS, why)] if why else []


def _kept_inputs(recipe: Recipe) -> Inputs | None:
    """Of the results in the run; None where there are none, or a damaged file: they are made again."""
    if not filesystem.exists(results_uri(recipe.run)):
        return None
    try:
        return read_results(recipe.run).inputs
    except (ValueError, KeyError, TypeError):
        return None


def _made_graph(recipe: Recipe) -> GraphInfo:
    progress = Progress("decoding graph", 1, "graph")
    inputs = graph_inputs(recipe.run, load_senones(recipe.run).id, language_inputs(recipe))
    graph = cluster.as_task(make_graph)(recipe.run, recipe.evaluate.lm_order, inputs)
    progress.advance(note=f"{graph.words} words, {graph.states} states")
    return graph


def _decode(
    what: str, systems: Sequence[System], slabs: Sequence[Slab], kappas: Kappas
) -> tuple[dict[str, dict[float, list[DecodedSlab]]], int]:
    """(results by system and kappa in the order of the slabs, pieces that were done before)."""
    import ray  # only decoding needs it

    work = {
        (system, number): _missing(system, slabs[number], kappas)
        for system in systems
        for number in range(len(slabs))
    }
    todo = {piece: missing for piece, missing in work.items() if missing}
    progress = Progress(what, len(work), "slabs")
    progress.skip(len(work) - len(todo))
    remote = ray.remote(num_cpus=1)(decode_slab)
    pending = [remote.remote(system, slabs[number], missing) for (system, number), missing in todo.items()]
    while pending:
        finished, pending = ray.wait(pending)
        cluster.result_of(finished[0])
        progress.advance()
    return {
        system.name: {kappa: [_result(system, slab, kappa) for slab in slabs] for kappa in kappas[system.name]}
        for system in systems
    }, len(work) - len(todo)


def _missing(system: System, slab: Slab, kappas: Kappas) -> tuple[float, ...]:
    return tuple(kappa for kappa in kappas[system.name] if read_result(system, slab, kappa) is None)


def _result(system: System, slab: Slab, kappa: float) -> DecodedSlab:
    result = read_result(system, slab, kappa)
    assert result is not None, "every slab was decoded"
    return result


def _results(
    recipe: Recipe,
    graph: GraphInfo,
    kappa: Mapping[str, float],
    found: Mapping[str, Sequence[DecodedSlab]],
    utterances: Mapping[str, Utterance],
) -> Results:
    scored = {name: score(utterances, decoded) for name, decoded in found.items()}
    rows, reductions = word_errors(scored, recipe.evaluate.bootstrap, recipe.seed)
    slabs = [slab for decoded in found.values() for slab in decoded]
    return Results(
        kappa=kappa,
        rows=rows,
        werr=reductions,
        frame_accuracy=frame_accuracies(found, utterances),
        decode_x_real_time=round(
            sum(slab.seconds for slab in slabs) / max(sum(slab.spent for slab in slabs), 1e-9), 1
        ),
        oov_rate=out_of_vocabulary(utterances.values(), read_vocabulary(recipe.run, graph.key).words),
    )


def _figures(results: Results, recipe: Recipe) -> dict[str, float | str]:
    figures: dict[str, float | str] = {f"wer_{name}": f"{results.row(name).wer:.1%}" for name in SYSTEMS}
    gain = results.reduction()
    figures["werr"] = f"{gain.werr:.1%} [{gain.low:.1%}, {gain.high:.1%}]"
    figures["kappa"] = "/".join(describe_kappa(results.kappa[name], recipe.evaluate.kappas) for name in SYSTEMS)
    figures["decoding_x_real_time"] = results.decode_x_real_time
    return figures


def _rejects(found: Mapping[str, Sequence[DecodedSlab]]) -> list[Reject]:
    return [
        Reject(hypothesis.id, f"{name}: {hypothesis.error}")
        for name, decoded in found.items()
        for slab in decoded
        for hypothesis in slab.hypotheses
        if hypothesis.error
    ]
