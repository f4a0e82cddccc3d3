"""Fills in the templates of the report's pages, which lie beside this file."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def fill(template: str, **values: Any) -> str:
    """The HTML of `template` with these values and with `style`, the pages' style sheet."""
    environment = Environment(
        loader=PackageLoader("ssl_asr", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share, digits=1: f"{100 * share:.{digits}f}"
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment.get_template(template).render(style=text_of("style.css"), **values)


def text_of(name: str) -> Markup:
    """A file beside this one, to be inlined as it is."""
    return Markup((resources.files("ssl_asr") / "report" / name).read_text())
