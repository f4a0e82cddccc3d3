"""The pages in a real browser, from the disk: they fit, choose and sort by keyboard, and play."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ssl_asr.evaluation.error_rates import ToplineShare
from ssl_asr.evaluation.inputs import references
from ssl_asr.evaluation.results import Results
from ssl_asr.evaluation.results_file import read_results, write_results
from ssl_asr.recipe import Recipe
from ssl_asr.report.stage import run_report
from ssl_asr.store.results_layout import compare_page_uri, hypotheses_uri, page_uri
from ssl_asr.store.utterance import Utterance
from tests.browser import launched, needs_browser
from tests.report.example_run import example_recipe, example_results, fill

TEN = ["clean", *(f"{kind}-{decibels}" for kind in ("babble", "effects") for decibels in (20, 10, 5, 0)), "room"]
WIDER_THAN_ITS_BOX = """[...document.querySelectorAll('.scroll')]
  .filter(each => each.scrollWidth > each.clientWidth)
  .map(each => each.closest('section')?.id ?? each.firstChild.id)"""

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def show(browser: Browser):
    """Opens a file 1,200 pixels wide; at the end, nothing but files may have been asked for and no script failed."""
    pages, asked, failed = [], [], []

    def opened(uri: str, width: int = 1200) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda message: failed.append(message.text))
        page.goto(Path(uri).as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert failed == []
    assert all(url.startswith("file://") for url in asked)


def with_topline(results: Results) -> Results:
    rows = [replace(row, system="topline") for row in results.rows if row.system == "student"]
    share = ToplineShare(0.43, -0.22, 1.61)
    return replace(
        results,
        rows=[*results.rows, *rows],
        werr=[replace(each, topline_share=share) for each in results.werr],
    )


def with_smbr(results: Results) -> Results:
    """As after sequence training of all networks."""
    return replace(
        results, rows=[row for each in results.rows for row in (each, replace(each, system=f"{each.system}-smbr"))]
    )


@pytest.fixture(scope="module")
def eight_systems(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run whose networks, and a topline, were also trained by sMBR."""
    recipe = example_recipe(tmp_path_factory.mktemp("eight"))
    fill(recipe)
    write_results(
        recipe.run, with_smbr(with_topline(example_results({name: 0.01 * n for n, name in enumerate(TEN)})))
    )
    run_report(recipe)
    return page_uri(recipe.run)


@pytest.fixture(scope="module")
def ten_conditions(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run with as many conditions as the laptop preset has, and with a topline."""
    recipe = example_recipe(tmp_path_factory.mktemp("ten"))
    fill(recipe)
    write_results(recipe.run, with_topline(example_results({name: 0.01 * n for n, name in enumerate(TEN)})))
    run_report(recipe)
    return page_uri(recipe.run)


@pytest.fixture(scope="module")
def four_systems(reported: Recipe, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a run whose utterances a topline recognised too."""
    run = str(tmp_path_factory.mktemp("four") / "run")
    shutil.copytree(reported.run, run)
    shutil.copy(hypotheses_uri(run, "student"), hypotheses_uri(run, "topline"))
    write_results(run, with_topline(read_results(run)))
    run_report(reported.model_copy(update={"run": run}))
    return page_uri(run)


# Letters for letters, so that the words are as many and as right as before.
ARABIC = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ابتثجحخدذرزسشصضطظعغفقكلمنه")


@pytest.fixture(scope="module")
def right_to_left(reported: Recipe, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run whose texts and words have Arabic letters."""
    run = str(tmp_path_factory.mktemp("arabic") / "run")
    shutil.copytree(reported.run, run)
    for file in Path(run, "decoding", "hypotheses").glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            row["hypothesis"] = row["hypothesis"].translate(ARABIC)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def translated(recipe: Recipe, split: str) -> dict[str, Utterance]:
        found = references(recipe, split)
        return {name: replace(each, text=(each.text or "").translate(ARABIC)) for name, each in found.items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssl_asr.report.errors.utterances.references", translated)
        run_report(reported.model_copy(update={"run": run}))
    return run


def test_words_of_arabic_letters_stand_from_right_to_left(show, right_to_left):
    for uri in (page_uri(right_to_left), compare_page_uri(right_to_left)):
        page = show(uri)
        words = page.locator(".words[dir=auto]:visible").first
        assert words.evaluate("each => getComputedStyle(each).direction") == "rtl"
        places = [pair.bounding_box()["x"] for pair in words.locator(".pair:not(.label)").all()[:2]]
        assert places == sorted(places, reverse=True)
        assert page.evaluate("document.documentElement.scrollWidth") == 1200
    taken = show(page_uri(right_to_left)).locator("#where table bdi").first
    assert taken.evaluate("each => getComputedStyle(each).unicodeBidi") == "isolate"


def test_no_table_scrolls_sideways(show, reported, ten_conditions, four_systems, eight_systems):
    for uri in (page_uri(reported.run), compare_page_uri(reported.run), ten_conditions, four_systems, eight_systems):
        page = show(uri)
        page.evaluate(
            "document.querySelectorAll('details').forEach(each => { each.removeAttribute('name'); each.open = true })"
        )
        assert page.evaluate(WIDER_THAN_ITS_BOX) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 1200


def test_the_student_comes_first(show, four_systems):
    page = show(four_systems)
    for name in ("confusions", "worst"):
        assert page.locator(f"details[name={name}] summary").first.inner_text() == "SSL student"


def test_a_small_screen_does_not_scroll_as_a_whole(show, reported):
    for uri in (page_uri(reported.run), compare_page_uri(reported.run)):
        assert show(uri, 400).evaluate("document.documentElement.scrollWidth") == 400


def test_a_player_plays(show, reported):
    page = show(page_uri(reported.run))
    seconds = page.evaluate(
        """() => new Promise((done, fail) => {
          const player = document.querySelector('audio');
          player.addEventListener('loadedmetadata', () => done(player.duration));
          player.addEventListener('error', () => fail(player.error.message));
          player.load(); player.preload = 'auto';
        })"""
    )
    assert seconds == pytest.approx(1.0, abs=0.01)


def figures(page: Page, column: int) -> list[float]:
    return [float(text) for text in page.locator(f"#utterances tbody tr td:nth-child({column})").all_inner_texts()]


def test_wins_and_losses_are_chosen_and_sorted_by_keyboard(show, reported):
    page = show(compare_page_uri(reported.run))
    wins, losses, ties = map(int, re.findall(r"\d+", page.inner_text("#score")))
    assert page.locator("#utterances tbody tr").count() == wins + losses + ties
    gains = figures(page, 1)
    assert gains == sorted(gains, reverse=True)
    assert (sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)) == (wins, losses)

    page.select_option("#show", "win")
    assert len(figures(page, 1)) == wins
    assert min(figures(page, 1)) > 0
    page.locator("#utterances th button").nth(3).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    words = figures(page, 4)
    assert words == sorted(words)
    assert page.locator("#utterances th").nth(3).get_attribute("aria-sort") == "ascending"

    page.select_option("#show", "")
    page.select_option("#first", "student")
    page.select_option("#second", "baseline")
    assert list(map(int, re.findall(r"\d+", page.inner_text("#score")))) == [losses, wins, ties]
    page.select_option("#second", "student")
    assert page.inner_text("#score") == "Choose two different systems."


def test_a_search_finds_words_and_every_word_is_shown_aligned(show, reported):
    page = show(compare_page_uri(reported.run))
    page.fill("#words", "zyzzyva")
    row = page.locator("#utterances tbody tr")
    assert row.count() == 1
    columns = [text.split("\n") for text in row.locator(".pair").all_inner_texts()]
    assert columns[0] == ["said", "baseline", "SSL student"]
    assert [column[0] for column in columns[1:] if column[0] != "+"] == ["a", "zyzzyva", "sat"]
    assert re.fullmatch(r"a \d+", columns[1][2])  # with its confidence
    page.fill("#words", "nobody says this")
    assert page.inner_text("#place") == "no utterance"
    assert page.is_disabled("#after")
