"""Verifying a run: every shard of every store is read again, held against its entry and the features beside.

It goes shard by shard, all stores of a shard together, so memory holds a few shards and the names of the others. What
models were trained on is audited besides, from their accounts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ssl_asr.labelling.integrity import senones_by_teacher
from ssl_asr.labelling.stage import SPLIT, STAGE
from ssl_asr.labelling.teachers import target_set_id
from ssl_asr.models.model_files import load_model
from ssl_asr.progress import Progress, clock
from ssl_asr.recipe import Recipe
from ssl_asr.runtime.pipeline import NAMES
from ssl_asr.runtime.stage_clock import HEARTBEAT_SECONDS, read_heartbeat
from ssl_asr.runtime.stage_report import read_rejects, read_report
from ssl_asr.store import features, filesystem, targets
from ssl_asr.store.inventory import Held, all_shards, inventory
from ssl_asr.store.layout import MODEL_SUFFIX, TARGETS, heartbeat_uri, models_folder
from ssl_asr.store.ledger import Shard
from ssl_asr.verifying.findings import Finding, Findings
from ssl_asr.verifying.shard_check import ShardCheck, Verdict
from ssl_asr.verifying.training_check import check_training

READERS = 4  # each holds the shard it reads and one decoded slab of it
Item = TypeVar("Item")
Result = TypeVar("Result")


def verify(recipe: Recipe, only: Collection[Shard] | None = None) -> Verdict:
    """All that is wrong with the run, of its shards with those that are in `only`.

    ValueError where the run has no store at all.
    """
    outputs, damaged = _models(recipe.run)
    target_store = None if damaged else _target_store(recipe)
    stores, words = inventory(recipe.run), Findings(recipe.run, target_store)
    shards = all_shards(stores)
    if not len(shards):
        raise ValueError(f"{recipe.run} holds no shard of any store; name a run that has begun")
    verdict = Verdict(damaged)
    verdict.add(check_training(recipe.run))
    verdict.findings += [words.leftover(uri) for uri in filesystem.list_temporary(recipe.run)]
    verdict.findings += [words.unexpected(uri) for held in stores for uri in held.unexpected]
    wanted = shards if only is None else [shard for shard in only if shard in shards]
    progress = Progress("verify", len(wanted), "shards")
    for one in _map(ShardCheck(stores, senones_by_teacher(recipe, outputs), words), wanted):
        verdict.add(one)
        progress.advance()
    verdict.findings += _unlabelled(recipe, stores, words)
    return verdict


def summary(verdict: Verdict, seconds: float) -> str:
    """The last line says how much was read and found; lines before it what models were trained on."""
    found = f"{len(verdict.findings)} wrong" if verdict.findings else "nothing wrong"
    parts = [f"{verdict.files:,} shards", f"{verdict.bytes / 1e6:,.1f} MB", clock(seconds)]
    parts += [f"slabs of {', '.join(verdict.unaudited)} not audited"] if verdict.unaudited else []
    return "\n".join([*verdict.trained, f"verify: {', '.join(parts)}: {found}"])


def under_way(recipe: Recipe) -> str | None:
    """A stage that is writing to the run at this moment, as far as its notes tell."""
    for stage in NAMES:
        noted = filesystem.modified(heartbeat_uri(recipe.run, stage))
        if noted is not None and time.time() - noted < 3 * HEARTBEAT_SECONDS:
            return stage
    return None


def refuse_under_way(recipe: Recipe) -> None:
    """ValueError while a stage is at work: what it is writing would look damaged."""
    stage = under_way(recipe)
    if stage is not None:
        raise ValueError(
            f"{stage} is at work in {recipe.run} or was until {3 * HEARTBEAT_SECONDS:.0f} s ago; "
            "stop it and wait first"
        )


def shards_of(found: Verdict) -> list[Shard]:
    """The shards that something was found about, in order."""
    return sorted({finding.shard for finding in found.findings if finding.shard is not None})


def repair(recipe: Recipe, suspects: Collection[Shard]) -> bool:
    """Delete what is bad among today's targets of `suspects`, and leftovers; True where labelling has work to do.

    They are looked at once more: reading a whole run takes hours, in which a stage may have been at work. ValueError,
    before anything is deleted, where one is or the features themselves are at fault: labelling drops targets whose
    features are gone.
    """
    refuse_under_way(recipe)
    found = verify(recipe, suspects)
    heard = [each for each in found.findings if each.store == features.STORE]
    if any(each.shard is not None and each.shard.split == SPLIT for each in heard):
        raise ValueError("nothing was deleted, as targets can't be made anew from these features; fix them first")
    for finding in found.findings:
        for uri in finding.delete:
            filesystem.delete(uri)
    return any(finding.relabel for finding in found.findings)


def _models(run: str) -> tuple[dict[str, int], list[Finding]]:
    """Outputs of every model of the run by its file, and the files that are damaged."""
    outputs, damaged = {}, []
    for uri in filesystem.list_files(models_folder(run), MODEL_SUFFIX):
        try:
            outputs[uri] = load_model(uri)[0].spec.outputs
        except ValueError as error:
            damaged.append(Finding(str(error)))
    return outputs, damaged


def _target_store(recipe: Recipe) -> str | None:
    """The store of targets that the recipe asks for today; None before there is a teacher."""
    try:
        return targets.store_name(target_set_id(recipe))
    except ValueError:
        return None


def _unlabelled(recipe: Recipe, stores: Iterable[Held], words: Findings) -> list[Finding]:
    """Feature shards that have no trace of targets although labelling has finished, and not by rejecting them."""
    by_name = {held.store.name: held for held in stores}
    mine, report = by_name.get(words.target_store or ""), read_report(recipe, STAGE)
    if mine is None or report is None or report.key != mine.store.name.removeprefix(f"{TARGETS}/"):
        return []
    if read_heartbeat(recipe, STAGE) is not None:
        return []
    rejected = {reject.id for reject in read_rejects(recipe, STAGE)}
    heard = (shard for shard in by_name[features.STORE].entries if shard.split == SPLIT)
    missing = (shard for shard in heard if shard not in mine.entries and shard not in mine.files)
    return [words.unlabelled(mine.store, shard) for shard in missing if shard.name not in rejected]


def _map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in order, from a few threads that are never far ahead of whoever takes them."""
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == 2 * READERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
