"""`ssl-asr export RUN -o DIR`: a model of a finished run as a bundle, or as files for sherpa-onnx."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssl_asr.recipe import Recipe


def add_command(commands: Any) -> None:
    """To the commands of the program."""
    does = "writes a model of a finished run as a bundle, which recognises speech without Ray and torch"
    command = commands.add_parser("export", description=f"export: {does}.", help=does)
    command.add_argument("recipe", metavar="RUN", help="a run's directory")
    command.add_argument("overrides", nargs="*", metavar="key=value", help=argparse.SUPPRESS)
    command.add_argument("-o", "--out", metavar="DIR", required=True, help="where to; an older bundle is replaced")
    command.add_argument(
        "--model",
        default="student",
        help="one that streams, such as baseline, an adapted model, or a transducer; default: student",
    )
    command.add_argument(
        "--for",
        dest="program",
        choices=["ssl-asr", "sherpa-onnx"],
        default="ssl-asr",
        help="the program that is to read it: a bundle, or files for sherpa-onnx; default: ssl-asr",
    )
    command.add_argument(
        "--measure",
        choices=["dev", "test"],
        default="dev",
        help="the speech on which fp32 and int8 are compared for the model card; default: dev",
    )


def run(recipe: Recipe, options: argparse.Namespace) -> None:
    """Writes the files, and prints where they are and how good the networks are."""
    from ssl_asr.runtime.run_directory import check_exists

    check_exists(recipe.run)
    with _export_extra():
        if options.program == "sherpa-onnx":
            line = _sherpa(recipe, options.model, options.out)
        else:
            line = _bundle(recipe, options.model, options.out, options.measure)
    print(line)


def _bundle(recipe: Recipe, model: str, out: str, split: str) -> str:
    if model in recipe.transducers:
        from ssl_asr.serving.exporting.transducers.export import export_transducer

        return export_transducer(recipe, model, _local(out), split).line()
    from ssl_asr.serving.exporting.export import export

    return export(recipe, model, _local(out), split).line()


def _sherpa(recipe: Recipe, model: str, out: str) -> str:
    """The files that sherpa-onnx reads."""
    if model in recipe.transducers:
        from ssl_asr.serving.exporting.sherpa.transducer_export import export_sherpa_transducer

        return export_sherpa_transducer(recipe, model, _local(out)).line()
    from ssl_asr.serving.exporting.sherpa.export import export_sherpa

    return export_sherpa(recipe, model, _local(out)).line()


def _local(out: str) -> Path:
    from ssl_asr.store import filesystem

    if filesystem.is_file_uri(out):
        out = filesystem.resolve(out)[1]
    if filesystem.is_uri(out):
        raise ValueError(f"{out} is no local folder; export to one, and copy that")
    return Path(out)


@contextmanager
def _export_extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ValueError(f"export needs {missing.name}; install it: pip install 'ssl-asr[export]'") from missing
