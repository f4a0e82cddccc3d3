"""`ssl-asr evaluate BUNDLE --test READER:PATH`: scores a bundle on transcribed speech, without a run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ssl_asr.cli.saying import say, told

if TYPE_CHECKING:
    from ssl_asr.evaluation.set_results import SetResults, Words
    from ssl_asr.evaluation.transcribed_set import TranscribedSet
    from ssl_asr.store.ledger import Reject

USAGE = """\
ssl-asr evaluate RECIPE [key=value ...]           the stage of a run
       ssl-asr evaluate BUNDLE --test READER:PATH ...    a bundle on any transcribed speech"""
_TOLD_REJECTS = 3


def add_options(command: argparse.ArgumentParser) -> None:
    """To the command of the stage."""
    command.usage = USAGE
    group = command.add_argument_group("a bundle on transcribed speech, in place of the stage")
    group.add_argument("--test", metavar="READER:PATH", help="the speech, as in a recipe; RECIPE is then a bundle")
    group.add_argument(
        "--against",
        metavar="OTHER",
        help="another bundle, or words for this speech: .txt, .ctm, .json, .jsonl, or a folder that transcribe wrote",
    )
    group.add_argument("-o", "--out", metavar="DIR", help="write figures and words there, and with --against a page")
    group.add_argument("--int8", action="store_true", help="BUNDLE's 8-bit network")
    group.add_argument("--hotwords", metavar="FILE", help="as of transcribe, for BUNDLE")
    group.add_argument("--lm", metavar="ARPA", help="as of transcribe, for BUNDLE")


def problem(options: argparse.Namespace) -> str | None:
    """What is wrong with the options together, in one sentence."""
    target = options.recipe
    if options.test is None:
        used = [name for name in ("against", "out", "int8", "hotwords", "lm") if getattr(options, name)]
        if used:
            return f"--{used[0]} belongs to evaluating a bundle; add --test READER:PATH"
        if target and _is_bundle(target):
            return f"{target} is a bundle; say on which speech to score it: --test READER:PATH"
        return None
    if target is None:
        return "the bundle is missing; for example: ssl-asr evaluate bundle --test nemo:test.jsonl"
    if options.overrides or options.dry_run:
        word = options.overrides[0] if options.overrides else "--dry-run"
        return f"'{word}' belongs to the stage of a run; leave it out with --test"
    if not _is_bundle(target):
        return f"{target} is no bundle; --test scores what `ssl-asr export RUN -o BUNDLE` makes"
    return None


def run(options: argparse.Namespace) -> None:
    """Prints the table and writes what was asked for. ValueError if nothing can be scored or compared."""
    from ssl_asr.evaluation.bootstrap import Draws
    from ssl_asr.evaluation.set_results import set_results
    from ssl_asr.evaluation.set_table import format_set_table
    from ssl_asr.evaluation.transcribed_set import read_transcribed_set
    from ssl_asr.recipe import Evaluate
    from ssl_asr.serving.bundle import open_bundle
    from ssl_asr.store import filesystem

    spoken = read_transcribed_set(options.test, open_bundle(options.recipe).language.alphabet)
    if options.out:
        filesystem.make_folder(options.out)
    systems, rejects = _systems(options, spoken)
    results = set_results(spoken, systems, Draws(Evaluate().bootstrap, seed=1))
    print(format_set_table(results))
    _tell(results, [*spoken.rejects, *rejects], options.out)
    if options.out:
        _write(options.out, results, spoken, systems, [*spoken.rejects, *rejects])


def _systems(options: argparse.Namespace, spoken: TranscribedSet) -> tuple[dict[str, Words], list[Reject]]:
    """The words of each system, those of the other one first; and the utterances that one could not use."""
    from ssl_asr.serving.adapting import EngineOptions, open_engine
    from ssl_asr.serving.transcribing.set_recogniser import recognise_set

    name, other = _names(options.recipe, options.against)
    wanted = EngineOptions(options.recipe, options.int8, options.hotwords, options.lm)
    engines = {name: open_engine(wanted, say)}
    systems: dict[str, Words] = {}
    if options.against and _is_bundle(options.against):
        engines = {other: open_engine(EngineOptions(options.against), say), **engines}
    elif options.against:
        from ssl_asr.evaluation.hypothesis_files import read_hypotheses, words_for

        hypotheses = read_hypotheses(options.against)
        systems[other] = words_for(hypotheses, spoken)
        if not hypotheses.lists_silence and (silent := [each for each in systems[other].values() if not each]):
            say(f"{options.against} has no line for {len(silent)} utterances: in these nothing was recognised")
    for each, engine in engines.items():
        if engine.language.alphabet != spoken.alphabet:
            raise ValueError(f"{each} is of another language than {name}; compare bundles of one language")
    rejects: dict[str, Reject] = {}
    for each, engine in engines.items():
        found = recognise_set(engine, spoken.utterances, each)
        systems[each] = found.words
        rejects = {reject.id: reject for reject in found.rejects} | rejects
    return systems, [*rejects.values()]


def _names(bundle: str, other: str | None) -> tuple[str, str]:
    """Names for the table and for files, from the ends of paths."""
    name, second = Path(bundle).resolve().name, Path(other or "").resolve()
    if second.is_file():
        return name, second.stem if second.stem != name else second.name
    return name, second.name if second.name != name else f"{second.parent.name}-{second.name}"


def _tell(results: SetResults, rejects: Sequence[Reject], out: str | None) -> None:
    """Of utterances that are in no figure."""
    if not rejects:
        return
    for reject in rejects[:_TOLD_REJECTS]:
        say(told(reject))
    where = f"; {out}/rejects.jsonl has the reasons" if out else ""
    total, more = results.rows[0].utterances + results.unscored, len(rejects) - _TOLD_REJECTS
    if more > 0 and not out:
        where = f": these and {more} more; -o DIR writes all reasons"
    say(f"{len(rejects)} of {total} utterances were not scored{where}")


def _write(
    out: str,
    results: SetResults,
    spoken: TranscribedSet,
    systems: Mapping[str, Words],
    rejects: Sequence[Reject],
) -> None:
    from ssl_asr.evaluation.set_files import transcript_of, write_set_files
    from ssl_asr.report.errors.comparison import render_set_comparison
    from ssl_asr.report.errors.utterances import aligned
    from ssl_asr.store import filesystem

    write_set_files(out, results=results, spoken=spoken, systems=systems, rejects=rejects)
    uri = filesystem.join(out, "compare.html")
    if len(systems) == 1:
        filesystem.delete(uri)  # of an earlier comparison
        return
    common = [each for each in spoken.utterances if all(each.id in words for words in systems.values())]
    utterances = [
        aligned(each, {name: transcript_of(each, words) for name, words in systems.items()}) for each in common
    ]
    filesystem.write_bytes(uri, render_set_comparison(spoken.source, utterances, results.systems).encode())
    print(uri)


def _is_bundle(target: str) -> bool:
    return Path(target, "bundle.json").is_file()
