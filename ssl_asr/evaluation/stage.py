"""The evaluate stage: tunes every system's scales on dev, decodes the test split, counts errors with intervals.

Every decoded slab is stored at once, so an interrupted evaluation continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ssl_asr.decoding.graph_files import GraphInfo, graph_inputs, make_graph, read_vocabulary
from ssl_asr.decoding.slabs import DecodedSlab, Slab
from ssl_asr.evaluation.bootstrap import Draws
from ssl_asr.evaluation.conversations import recognise_slabs_of_conversations, score_conversations
from ssl_asr.evaluation.decisions import Decisions, decide
from ssl_asr.evaluation.figures import figures_of
from ssl_asr.evaluation.inputs import (
    check_models,
    describe_system,
    language_inputs,
    listed_utterances,
    references,
    result_inputs,
    split_slabs,
)
from ssl_asr.evaluation.reference_times import Span, slabs_to_time
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.evaluation.slab_tasks import decode, times_of
from ssl_asr.evaluation.summary import (
    cells_of,
    frame_accuracies,
    out_of_vocabulary,
    reductions,
    score,
    scored_recordings,
    word_errors,
)
from ssl_asr.evaluation.transcripts import write_transcripts
from ssl_asr.evaluation.transducers import compare_transducers, recognise_slabs
from ssl_asr.evaluation.words import find_words_of, publish_words
from ssl_asr.hmm.senones import load_senones
from ssl_asr.models.systems import BASELINE, STUDENT, TOPLINE, evaluated, final_name
from ssl_asr.progress import Progress
from ssl_asr.recipe import Recipe
from ssl_asr.recipe.identity import Inputs, inputs_key
from ssl_asr.runtime import cluster
from ssl_asr.runtime.stage_clock import StageClock
from ssl_asr.runtime.stage_report import StageReport, check_reject_share, read_rejects, read_report
from ssl_asr.runtime.todo import (
    LANGUAGE_TEXT,
    RESULTS,
    SENONE_SET,
    SENONES,
    TRANSDUCERS,
    Todo,
    reasons,
    upstream,
    waiting,
)
from ssl_asr.store import filesystem
from ssl_asr.store.layout import ALIGNMENTS, FEATURES, MANIFEST
from ssl_asr.store.ledger import Reject
from ssl_asr.store.results_layout import results_uri
from ssl_asr.store.utterance import Utterance

STAGE = "evaluate"


def run_evaluate(recipe: Recipe) -> StageReport:
    """Write `decoding/results.json` and the hypotheses; ValueError if a model or a split is missing."""
    senones = load_senones(recipe.run)
    check_models(recipe, senones)
    dev, test = (split_slabs(recipe, split, senones) for split in ("dev", "test"))
    dev_utterances, test_utterances = (references(recipe, split) for split in ("dev", "test"))
    inputs = result_inputs(recipe, senones, dev, test)
    clock = StageClock(recipe, STAGE, inputs_key(inputs))
    before = read_report(recipe, STAGE)
    if before is not None and _kept_inputs(recipe) == inputs:
        return clock.finish(before.pieces, before.pieces, read_rejects(recipe, STAGE), before.figures)
    with cluster.joined():
        graph = _made_graph(recipe)
        systems = [describe_system(recipe, name, graph, senones) for name in evaluated(recipe)]
        decided = decide(recipe, systems, dev, dev_utterances)
        tested = {each: decided.scales[each.name] for each in systems if each.name in decided.tested.values()}
        by_scales, made = decode("decoding test", {each: [scales] for each, scales in tested.items()}, test)
        transduced, recognised = recognise_slabs(recipe, test)
        conversed, made_of_conversations = recognise_slabs_of_conversations(recipe, test)
        spoken, words = _spoken_times(recipe, test, test_utterances), None
        if recipe.evaluate.lattices:
            words = find_words_of(recipe, tested, dev=dev, test=test, spoken=spoken)
    found = {system: by_scales[model][decided.scales[model]] for system, model in decided.tested.items()}
    results = _results(recipe, graph, decided, found, test_utterances)
    results = replace(
        results,
        inputs=inputs,
        transducers=compare_transducers(recipe, transduced, test_utterances, spoken),
        conversations=score_conversations(recipe, conversed),
    )
    # The files below may go or change. Until all are there, results of before must not say that they are.
    filesystem.delete(results_uri(recipe.run))
    confidences = publish_words(recipe, words, models=decided.tested, dev=dev_utterances, test=test_utterances)
    for name, slabs in (found | transduced).items():
        write_transcripts(recipe.run, name, slabs, test_utterances, confidences.get(name))
    write_results(recipe.run, results)
    rejects, pieces = _rejects(found | transduced), decided.pieces + made + recognised + made_of_conversations
    report = clock.finish(pieces.total, pieces.kept, rejects, figures_of(results))
    check_reject_share(recipe, STAGE, len({reject.id for reject in rejects}), len(test_utterances))
    return report


def todo_evaluate(recipe: Recipe, before: Sequence[Todo]) -> list[Todo]:
    kinds = (MANIFEST, FEATURES, ALIGNMENTS)
    read = [f"{kind}/{split}" for kind in kinds for split in ("dev", "test")]
    if causes := upstream(before, *read, *evaluated(recipe), LANGUAGE_TEXT, SENONES, SENONE_SET, TRANSDUCERS):
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


def _spoken_times(
    recipe: Recipe, slabs: Sequence[Slab], utterances: Mapping[str, Utterance]
) -> dict[str, list[Span]]:
    """When the words were spoken; nothing where neither lattices nor transducers are compared with that."""
    if not (recipe.evaluate.lattices or recipe.utterance_transducers):
        return {}
    return times_of("word times of test", slabs_to_time(recipe.run, slabs, utterances))


def _results(
    recipe: Recipe,
    graph: GraphInfo,
    decided: Decisions,
    found: Mapping[str, Sequence[DecodedSlab]],
    utterances: Mapping[str, Utterance],
) -> Results:
    scored = {name: score(utterances, decoded) for name, decoded in found.items()}
    draws, found_cells = Draws(recipe.evaluate.bootstrap, recipe.seed), cells_of(scored[STUDENT])
    slabs = [slab for decoded in found.values() for slab in decoded]
    baseline, student, topline = (final_name(recipe, name) for name in (BASELINE, STUDENT, TOPLINE))
    return Results(
        kappa={name: scales.kappa for name, scales in decided.scales.items()},
        prior_scale={name: scales.prior for name, scales in decided.scales.items()},
        dev=decided.errors,
        tuning=decided.points(),
        at_bound=decided.at_bound,
        models=decided.tested,
        listed=listed_utterances(recipe, "test", utterances.values()),
        scored=scored_recordings(utterances, scored),
        headline=found_cells.headline,
        other_channels=sorted(found_cells.other_channels),
        rows=word_errors(scored, draws),
        werr=reductions(scored[baseline], scored[student], draws, scored.get(topline)),
        frame_accuracy=frame_accuracies(found, utterances),
        decode_x_real_time=round(
            sum(slab.seconds for slab in slabs) / max(sum(slab.spent for slab in slabs), 1e-9), 1
        ),
        oov_rate=out_of_vocabulary(utterances.values(), read_vocabulary(recipe.run, graph.key).words),
    )


def _rejects(found: Mapping[str, Sequence[DecodedSlab]]) -> list[Reject]:
    return [
        Reject(hypothesis.id, f"{name}: {hypothesis.error}")
        for name, decoded in found.items()
        for slab in decoded
        for hypothesis in slab.hypotheses
        if hypothesis.error
    ]
