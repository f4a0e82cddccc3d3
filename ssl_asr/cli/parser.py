"""The program's argument parser and those of its commands, with the text of its help."""

from __future__ import annotations

import argparse
from typing import NoReturn

from ssl_asr.cli import adapt, cohorts, evaluate, experiment, export, listen, serve, speakers, transcribe
from ssl_asr.cli.values import whole
from ssl_asr.planning import question
from ssl_asr.runtime.pipeline import NAMES, STAGES

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
_VERBS = {
    "run": "all stages in order, then the table of word error rates",
    "plan": "bytes, hours, network and cost of a run, each figure with its formula and source; runs nothing",
    "status": "progress of each stage of a run",
    "failed": "the utterances that were rejected, with the reasons",
    "verify": "reads every shard again and says what is damaged, missing or left over",
}


class Refusal(Exception):
    """A command line that can't be understood; the text says in one sentence how to fix it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message}; see {self.prog} --help")


def build_parser() -> tuple[_Parser, dict[str, _Parser]]:
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
    _add(commands, "run", _VERBS["run"])
    _add(commands, "plan", _VERBS["plan"])
    for stage in STAGES:
        # Listed below the commands under "stages", where their lines may be longer.
        _add(commands, stage.name, stage.does, listed=False)
    _add(commands, "status", _VERBS["status"])
    _add(commands, "failed", _VERBS["failed"])
    _add(commands, "verify", _VERBS["verify"])
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
