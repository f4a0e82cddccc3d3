"""Options for the endpoints of a stream, named as in Kaldi (`online2/online-endpoint.h`) and sherpa-onnx."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ssl_asr.cli.values import at_least
from ssl_asr.serving.endpoints import KALDI, Endpoints

_LEAST_SILENCE = 0.1  # seconds
_SILENCE_OF = (
    "silence without a word",
    "silence after words that end a sentence",
    "... that may",
    "... that may not",
)
_WITH_COST = (2, 3)


def add_endpoint_options(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    group = command.add_argument_group("endpoints: an utterance ends by the first rule that holds")
    for number, rule in enumerate(KALDI, 1):
        group.add_argument(
            f"--rule{number}-min-trailing-silence",
            type=at_least(_LEAST_SILENCE),
            default=rule.seconds,
            metavar="S",
            help=f"{_SILENCE_OF[number - 1]}; default: {rule.seconds:g}",
        )
    for number in _WITH_COST:
        cost = KALDI[number - 1].max_relative_cost
        group.add_argument(
            f"--rule{number}-max-relative-cost",
            type=at_least(0.0),
            default=cost,
            metavar="NATS",
            help=f"by which ending there may be less probable than going on; default: {cost:g}",
        )
    longest = Endpoints().longest
    group.add_argument(
        "--rule5-min-utterance-length",
        type=at_least(1.0),
        default=longest,
        metavar="S",
        help=f"a longer utterance is cut between two words; default: {longest:g}",
    )
    return group


def endpoints_of(options: argparse.Namespace) -> Endpoints:
    """ValueError if an utterance may be longer than is useful."""
    rules = [
        replace(rule, seconds=getattr(options, f"rule{number}_min_trailing_silence"))
        for number, rule in enumerate(KALDI, 1)
    ]
    for number in _WITH_COST:
        cost = getattr(options, f"rule{number}_max_relative_cost")
        rules[number - 1] = replace(rules[number - 1], max_relative_cost=cost)
    return Endpoints(tuple(rules), options.rule5_min_utterance_length)
