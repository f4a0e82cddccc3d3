"""Cohorts and adaptations that the fairness stage has found: pages of their own, and tables with links to these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ssl_asr.adaptation.found import Found, adapted_rows, cohort_rows
from ssl_asr.recipe import Recipe
from ssl_asr.report.adapted import render_adapted
from ssl_asr.report.cohorts.page import render_cohorts
from ssl_asr.store import filesystem
from ssl_asr.store.results_layout import adapted_page_uri, cohorts_page_uri, found_folder, page_uri


@dataclass(frozen=True)
class LinkedRow:
    """Texts of a row, the first of them with a link unless it is empty."""

    link: str
    texts: Sequence[str]


@dataclass(frozen=True)
class LinkedTable:
    titles: Sequence[str]
    rows: Sequence[LinkedRow]


def write_fairness_pages(recipe: Recipe, found: Found) -> None:
    for uri, cohorts in zip(_cohort_pages(recipe, found), found.cohorts, strict=True):
        filesystem.write_bytes(uri, render_cohorts(cohorts).encode())
    for uri, adapted in zip(_adapted_pages(recipe, found), found.adapted, strict=True):
        filesystem.write_bytes(uri, render_adapted(adapted).encode())


def fairness_tables(recipe: Recipe, found: Found) -> list[LinkedTable]:
    """For the report's page, beside which the others lie; empty where nothing was found."""
    tables = (
        (cohort_rows(found), _cohort_pages(recipe, found)),
        (adapted_rows(found), ["", *_adapted_pages(recipe, found)]),  # the student before has no page
    )
    beside = page_uri(recipe.run).rpartition("/")[0] + "/"
    return [
        LinkedTable(
            rows[0],
            [LinkedRow(quote(uri.removeprefix(beside)), texts) for uri, texts in zip(uris, rows[1:], strict=True)],
        )
        for rows, uris in tables
        if rows
    ]


def _cohort_pages(recipe: Recipe, found: Found) -> list[str]:
    return [cohorts_page_uri(found_folder(recipe.run, by)) for by in found.by]


def _adapted_pages(recipe: Recipe, found: Found) -> list[str]:
    return [adapted_page_uri(recipe.run, each.name) for each in found.adapted]
