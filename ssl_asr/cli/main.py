"""The command line: `ssl-asr run RECIPE`, `ssl-asr STAGE RECIPE`, `ssl-asr status RUN`.

Nothing large is imported before the arguments are parsed, so that help and refusals are instant.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ssl_asr.cli import adapt, cohorts, evaluate, experiment, export, listen, serve, speakers, transcribe
from ssl_asr.cli.parser import Refusal, build_parser
from ssl_asr.cli.saying import say
from ssl_asr.planning import question
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.runtime.pipeline import NAMES, wanted_stages

if TYPE_CHECKING:
    from ssl_asr.recipe import Recipe

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130

# Commands that take no recipe of one run, and whose end is success.
_RUN_FREE: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "serve": serve.run,
    "cohorts": cohorts.run,
    "speakers": speakers.run,
    "experiment": experiment.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit code is 0, 1 for a failure, 2 for a refused command line, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    shows_traceback = "--traceback" in words
    try:
        return _run([word for word in words if word != "--traceback"])
    except Refusal as refusal:
        return _say(str(refusal), REFUSED)
    except KeyboardInterrupt:
        return _say("interrupted; the same command continues where it stopped", INTERRUPTED)
    except BrokenPipeError:
        return FAILED  # the reader of our output, such as `head`, has gone
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None and isinstance(error, OSError):
            sentence = f"{' '.join(str(error).split())}; fix this, then the same command continues where it stopped"
        if sentence is None or shows_traceback:
            raise
        return _say(sentence, FAILED)


def _say(sentence: str, code: int) -> int:
    say(sentence)
    return code


def _run(words: list[str]) -> int:
    parser, commands = build_parser()
    if not words:
        parser.print_help()
        return REFUSED
    if words[0].startswith("-"):
        parser.parse_args(words)  # help; anything else is refused
    if words[0] not in commands:
        others = ["plan", "status", "failed", "verify", "inspect", "export", "adapt", "transcribe", "listen"]
        known = [*NAMES, "run", *others, *_RUN_FREE]
        near = difflib.get_close_matches(words[0], known, 1, cutoff=0.5)
        fix = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
        raise Refusal(f"unknown command '{words[0]}'; {fix}")
    # Options may be anywhere between the other words.
    options = commands[words[0]].parse_intermixed_args(words[1:], argparse.Namespace(command=words[0]))
    code = _without_run(options)
    return _on_run(options) if code is None else code


def _without_run(options: argparse.Namespace) -> int | None:
    """Commands that are not of one run's recipe; None if it is another command."""
    if options.command == "transcribe":
        return OK if transcribe.run(options) else FAILED
    if options.command == "listen":
        return OK if listen.run(options) else INTERRUPTED
    if options.command in _RUN_FREE:
        _RUN_FREE[options.command](options)
        return OK
    if options.command == "evaluate" and (problem := evaluate.problem(options)):
        raise Refusal(problem)
    if options.command == "evaluate" and options.test is not None:
        evaluate.run(options)
        return OK
    return None


def _on_run(options: argparse.Namespace) -> int:
    from ssl_asr.cli import commands

    if options.command == "inspect":
        commands.inspect_targets(options.shard, options.utterance, options.out)
        return OK
    if options.command == "corpus" and options.licences:
        commands.licences(_recipe(options.recipe or "demo", options.overrides))
        return OK
    if options.recipe is None:
        raise Refusal(f"the recipe is missing; for example: ssl-asr {options.command} demo")
    recipe = _recipe(options.recipe, options.overrides)
    if options.command == "export":
        export.run(recipe, options)
        return OK
    if options.command == "adapt":
        adapt.run(recipe, options)
        return OK
    if options.command == "plan":
        commands.plan(recipe, question.question_of(options))
        return OK
    if options.command == "verify":
        return OK if commands.verify(recipe, fixes=options.repair, sample=options.sample) else FAILED
    if getattr(options, "dry_run", False):
        wanted = [stage.name for stage in wanted_stages(recipe)]
        commands.dry_run(recipe, wanted if options.command == "run" else [options.command])
        return OK
    actions = {"run": commands.run_all, "status": commands.status, "failed": commands.failed}
    if options.command in actions:
        actions[options.command](recipe)
    else:
        commands.run_one(options.command, recipe)
    return OK


def _recipe(target: str, overrides: Sequence[str]) -> Recipe:
    from ssl_asr.runtime.run_directory import open_recipe

    try:
        return open_recipe(target, overrides)
    except ValueError as error:
        raise Refusal(str(error)) from error
