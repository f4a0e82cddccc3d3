"""The command line: `ssl-asr run RECIPE`, `ssl-asr STAGE RECIPE`, `ssl-asr status RUN`.

Nothing large is imported before the arguments are parsed, so that help and refusals are instant.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from ssl_asr.cli import adapt, cohorts, evaluate, experiment, export, listen, serve, speakers, transcribe
from ssl_asr.cli.saying import say
from ssl_asr.cli.values import whole
from ssl_asr.planning import question
from ssl_asr.runtime.failure import sentence_of
from ssl_asr.runtime.pipeline import NAMES, STAGES, wanted_stages

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

HELP = """\
Trains acoustic models from a few hours of transcribed speech and much more speech without transcripts.
A teacher learns from the labeled speech and labels every unlabeled frame. A small causal student
learns from both. Every stage runs on Ray, on this machine or on a cluster.
"""

EPILOG = f"""\
stages, in the order of `run`:
{chr(10).join(f"  {stage.name:<10} {stage.does}" for stage in STAGES)}

RECIPE is a preset (demo, laptop, paper), a YAML file, or the directory of an existing run.
key=value overrides one value of it: student.network.layers=3, run=/data/first,
corpus.test_conditions=[clean,babble-10]. An unknown key is refused before any work. A run keeps the
recipe of its last command.

Every stage skips what is done: after an interruption the same command continues where it stopped.

examples:
  ssl-asr run demo                          all stages, then a table of word error rates and a page
  ssl-asr student demo student.network.layers=3
                                            one stage, with another value
  ssl-asr run runs/demo --dry-run           what would be made, and because of what
  ssl-asr status runs/demo                  progress of each stage
  ssl-asr failed runs/demo                  which utterances were rejected, and why
  ssl-asr plan paper --hours 1e6 --gpus 64  bytes, hours and cost, before anything is run
  ssl-asr verify runs/demo --repair         whether every shard is whole; bad ones are made anew
  ssl-asr inspect targets SHARD UTTERANCE   a picture of the teacher's opinion on one utterance
  ssl-asr export runs/demo -o bundle        the student with all that recognises speech, without Ray and torch
  ssl-asr export runs/demo --for sherpa-onnx -o sherpa-model
                                            the same model for sherpa-onnx
  ssl-asr transcribe bundle talk.mp3        what is said in audio files, folders, URIs or manifests
  arecord -f S16_LE -r 16000 | ssl-asr listen bundle -
                                            the words of a microphone as they are said
  ssl-asr evaluate bundle --test nemo:test.jsonl --against other-bundle
                                            word error rates on any transcribed speech, beside another system
  ssl-asr cohorts runs/demo --by tag:region who is understood worse, and whether that may be chance
  ssl-asr adapt runs/demo --cohort bottom --method ewc
                                            a student that understands these better, without forgetting others
  ssl-asr run fairness-demo                 all of that at once, on talkers whose accents and places are simulated
  ssl-asr speakers runs/demo                speaker embeddings for `cohorts`, and how well they tell speakers apart
  ssl-asr experiment ssl                    what unlabeled speech gains, over three seeds, with a verdict
  ssl-asr serve bundle                      a server for Vosk's and other clients, and a page with a microphone
  ssl-asr corpus --licences                 under which licences the demo's recordings come
"""


class Refusal(Exception):
    """A command line that can't be understood; the text says in one sentence how to fix it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}; see {self.prog} --help")


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
    parser, commands = _parser()
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


def _parser() -> tuple[_Parser, dict[str, _Parser]]:
    """The program's, and those of its commands by name."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="ssl-asr",
        description=HELP,
        epilog=EPILOG,
        formatter_class=raw,
        usage="ssl-asr COMMAND RECIPE [key=value ...]",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", prog="ssl-asr")
    verbs = {
        "run": "all stages in order, then the table of word error rates",
        "plan": "bytes, hours, network and cost of a run, each figure with its formula and source; runs nothing",
        "status": "progress of each stage of a run",
        "failed": "the utterances that were rejected, with the reasons",
        "verify": "reads every shard again and says what is damaged, missing or left over",
    }
    _add(commands, "run", verbs["run"])
    _add(commands, "plan", verbs["plan"])
    for stage in STAGES:
        # Listed below the commands under "stages", where their lines may be longer.
        _add(commands, stage.name, stage.does, listed=False)
    _add(commands, "status", verbs["status"])
    _add(commands, "failed", verbs["failed"])
    _add(commands, "verify", verbs["verify"])
    _add_inspect(commands)
    export.add_command(commands)
    transcribe.add_command(commands)
    listen.add_command(commands)
    serve.add_command(commands)
    cohorts.add_command(commands)
    adapt.add_command(commands)
    speakers.add_command(commands)
    experiment.add_command(commands)
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error arose")
    return parser, commands.choices


def _add(commands: argparse._SubParsersAction[_Parser], name: str, does: str, listed: bool = True) -> None:
    text = f"{name}: {does}."
    command = (
        commands.add_parser(name, description=text, help=does)
        if listed
        else commands.add_parser(name, description=text)
    )
    command.add_argument("recipe", nargs="?", metavar="RECIPE", help="a preset, a YAML file or a run's directory")
    command.add_argument("overrides", nargs="*", metavar="key=value", help="override a value of the recipe")
    if name in (*NAMES, "run"):
        command.add_argument("--dry-run", action="store_true", help="say what would be made, and because of what")
    if name == "corpus":
        command.add_argument("--licences", action="store_true", help="show the licences of the demo's recordings")
    if name == "evaluate":
        evaluate.add_options(command)
    if name == "plan":
        question.add_options(command)
    if name == "verify":
        command.add_argument("--repair", action="store_true", help="make bad shards anew, delete what is left over")
        command.add_argument(
            "--sample",
            type=whole(1, 10**9),
            metavar="N",
            help="read N shards, others each time; missing ones are all told",
        )
    if name != "corpus":  # whose --licences need none
        # It is optional for argparse alone, so that a missing one is told with an example.
        command.usage = command.format_usage().removeprefix("usage: ").strip().replace("[RECIPE]", "RECIPE")


def _add_inspect(commands: argparse._SubParsersAction[_Parser]) -> None:
    does = "draws the teacher's posteriors for one utterance"
    command = commands.add_parser("inspect", description=f"inspect: {does}, as a PNG.", help=does)
    command.add_argument("what", choices=["targets"], help="the kind of shard")
    command.add_argument("shard", metavar="SHARD", help="RUN/targets/SET/unlabeled/NUMBER.parquet")
    command.add_argument("utterance", nargs="?", metavar="UTTERANCE", help="its id; default: the shard's first")
    command.add_argument("--out", metavar="FILE", help="where to write; default: targets-UTTERANCE.png here")


def _recipe(target: str, overrides: Sequence[str]) -> Recipe:
    from ssl_asr.runtime.run_directory import open_recipe

    try:
        return open_recipe(target, overrides)
    except ValueError as error:
        raise Refusal(str(error)) from error
