"""Options of the commands that recognise speech: which network, which words are likelier, which language model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ssl_asr.cli.saying import say

if TYPE_CHECKING:
    from ssl_asr.serving.adapting import EngineOptions


def add_engine_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--hotwords", metavar="FILE", help="in each line a word or phrase and its bonus in nats")
    command.add_argument("--lm", metavar="ARPA", help="a language model in place of the bundle's")
    command.add_argument("--int8", action="store_true", help="the 8-bit network: faster, a little less exact")


def engine_options_of(options: argparse.Namespace) -> EngineOptions:
    """Of a bundle, or of that of a run, which is made if it has to be; ValueError as `bundle_of`."""
    from ssl_asr.serving.adapting import EngineOptions
    from ssl_asr.serving.exporting.of_run import bundle_of

    return EngineOptions(bundle_of(options.bundle, say), options.int8, options.hotwords, options.lm)
