"""The page of cohorts: its figures are drawn, what is in names is text, and no speaker is named."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ssl_asr.fairness.clustering import VoiceDot, VoiceMap
from ssl_asr.fairness.find import find_cohorts
from ssl_asr.report.cohorts.figures import numbers_of_clusters, rates, regions_map
from ssl_asr.report.cohorts.page import render_cohorts
from ssl_asr.report.cohorts.voices import draw_voices
from tests.fairness.made_up import QUICK, table_of


class Texts(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def by_place(west: float = -120.0):
    random = np.random.default_rng(3)
    places = np.round(random.uniform([30, 0], [48, 40], (60, 2)), 0)
    longitudes = (places[:, 1] + west + 180) % 360 - 180
    tags = [
        {"latitude": str(north), "longitude": str(east)} for north, east in zip(places[:, 0], longitudes, strict=True)
    ]
    return find_cohorts(table_of(np.where(places[:, 1] < 20, 0.4, 0.15), tags), "geo", QUICK)


def test_names_are_shown_as_text_and_no_speaker_is_named():
    names = ["<b>north</b>", "a $x$ b", "east"]
    table = table_of([0.1, 0.3, 0.2] * 12, [{"region": names[number % 3]} for number in range(36)])
    page = render_cohorts(find_cohorts(table, "tag:region", QUICK))
    assert "person" not in page
    assert "<b>north" not in page
    shown = Texts(page)
    assert "<b>north</b>" in "".join(shown.texts)
    assert "a $x$ b" in "".join(shown.texts)
    assert shown.tags.count("svg") == 1
    assert "script" not in shown.tags
    assert not re.search(r"(src|href)=.https?:", page)


def test_the_map_has_every_region_with_its_rate():
    found = by_place()
    svg = regions_map(found.geography, found.cohorts)
    for number, region in enumerate(found.geography.regions, 1):
        part = next(each.part for each in found.cohorts if each.name == region.name)
        assert f"{number}: {100 * part.wer:.1f} %" in svg
    page = render_cohorts(found)
    (first, *_) = found.geography.cuts
    assert first.at == pytest.approx(-100, abs=2)
    assert f"longitude below {first.at:g}" in page
    assert "The tree" in page
    assert Texts(page).tags.count("svg") == 2


def test_the_map_does_not_tear_at_the_180th_meridian():
    found = by_place(west=160.0)
    assert found.geography.west == 0  # far from all speakers: it names the place of none
    (first, *_) = found.geography.cuts
    assert first.axis == "longitude"
    assert first.at == pytest.approx(180, abs=2) or first.at == pytest.approx(-180, abs=2)
    svg = regions_map(found.geography, found.cohorts)
    assert ">170<" in svg
    assert ">−170<" in svg or ">-170<" in svg
    assert "Longitudes are counted eastward from" in render_cohorts(found)


def test_the_figures_are_drawn_the_same_again():
    found = by_place()
    assert rates(found) == rates(found)
    assert regions_map(found.geography, found.cohorts) == regions_map(found.geography, found.cohorts)


def test_numbers_of_clusters_are_drawn(tmp_path):
    kinds = np.arange(40) % 2
    vectors = np.random.default_rng(0).normal(0, 1, (40, 4)) + 6 * np.eye(4)[kinds]
    np.savez(tmp_path / "voices.npz", ids=[f"person {number}" for number in range(40)], vectors=vectors)
    found = find_cohorts(table_of(0.1 + 0.2 * kinds, [{}] * 40), f"embeddings:{tmp_path}/voices.npz", QUICK)
    assert ">stability<" in numbers_of_clusters(found.clustering)
    page = render_cohorts(found)
    assert "How many clusters" in page
    assert "a dot a speaker" in page
    assert "person" not in page


def test_voices_are_drawn_with_a_shape_for_each_of_the_largest_channels():
    channels = [*(f"set {number}" for number in range(8)), "a $x$ b", "a $x$ b"]
    dots = [VoiceDot(number, number % 3, f"cluster {number % 2 + 1}", name) for number, name in enumerate(channels)]
    svg = draw_voices(VoiceMap(dots, 0.6, 0.2))
    assert svg == draw_voices(VoiceMap(dots, 0.6, 0.2))
    shown = {text.strip() for text in Texts(svg).texts}
    assert {"cluster 1", "cluster 2", "a $x$ b", "set 0", "set 4", "others"} <= shown
    assert "set 5" not in shown
