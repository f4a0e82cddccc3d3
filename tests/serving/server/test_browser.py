"""The page in a real browser: a recording as microphone, a file, a small screen, a token, nothing from elsewhere."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from kaldialign import edit_distance
from playwright.sync_api import Browser, expect

from tests.browser import launched, needs_browser
from tests.serving.server.conftest import RATE, engine_finals, serving

pytestmark = needs_browser
SLOW = 120_000  # ms


@pytest.fixture(scope="module")
def spoken_words(spoken, talk):
    return [word.word for final in engine_finals(spoken, talk) for word in final.words]


@pytest.fixture(scope="module")
def recording(talk, tmp_path_factory):
    file = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(file, np.concatenate([talk, np.zeros(3 * RATE, "<i2")]), RATE, subtype="PCM_16")
    return file


@pytest.fixture(scope="module")
def browser(recording) -> Iterator[Browser]:
    microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    microphone.append(f"--use-file-for-fake-audio-capture={recording}%noloop")
    with launched(*microphone) as browser:
        yield browser


@pytest.fixture
def show(browser):
    """Opens the page; at the end nothing of elsewhere may have been asked for, and no script failed."""
    pages, asked, failed = [], [], []

    def opened(server, width=1200):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(SLOW)
        page.on("request", lambda request: asked.append((server.port, request.url)))
        page.on("websocket", lambda socket: asked.append((server.port, socket.url)))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda message: failed.append(message.text))
        page.goto(server.url("/"))
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert failed == []
    assert all(re.match(rf"(http|ws)://127\.0\.0\.1:{port}/|data:,", url) for port, url in asked)


def share_wrong(words, expected):
    return edit_distance(expected, words)["total"] / len(expected)


def test_a_microphone_is_heard(show, server, spoken_words):
    page = show(server)
    page.click("#microphone")
    expect(page.locator("#partial")).not_to_be_empty(timeout=SLOW)
    expect(page.locator("#finals .utterance").nth(1)).to_be_visible(timeout=SLOW)
    expect(page.locator("#latency")).to_have_text(re.compile(r"\d+ ms"), timeout=SLOW)
    page.click("#microphone")
    expect(page.locator("#state")).to_have_text("ready", timeout=SLOW)
    words = page.locator("#finals .utterance span").all_inner_texts()
    # The browser resamples, so a word may be another; those of the talk are what is heard.
    assert set(words) & set(spoken_words)
    shades = page.locator("#finals .utterance span").evaluate_all("all => all.map(each => each.style.color)")
    assert len(set(shades)) > 1
    assert page.locator("#error").is_hidden()


def test_a_file_is_read_and_text_is_cleared(show, server, spoken_words, recording):
    page = show(server)
    page.set_input_files("#file", recording)
    expect(page.locator("#state")).to_have_text(re.compile("reading"), timeout=SLOW)
    expect(page.locator("#state")).to_have_text("ready", timeout=SLOW)
    assert share_wrong(page.locator("#finals .utterance span").all_inner_texts(), spoken_words) < 0.8
    page.click("#clear")
    assert page.locator("#finals").inner_text() == ""


@pytest.mark.parametrize("width", [360, 1200])
def test_no_screen_scrolls_sideways(show, server, width):
    page = show(server, width)
    page.evaluate("final({result: Array(80).fill({word: 'incomprehensibilities', conf: 0.5})})")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.scrollHeight") == 800
    boxes = page.locator("button, .button").evaluate_all("all => all.map(each => each.offsetHeight)")
    assert min(boxes) >= 44  # pixels, for a thumb


def test_a_token_is_asked_for(show, spoken, recording):
    with serving(spoken.folder, environment={"SSL_ASR_TOKEN": "open-sesame"}) as server:
        page = show(server)
        page.set_input_files("#file", recording)
        expect(page.locator("#error")).to_contain_text("asks for a token", timeout=SLOW)
        page.fill("#token", "open-sesame")
        page.set_input_files("#file", recording)
        expect(page.locator("#finals .utterance").first).to_be_visible(timeout=SLOW)


def test_a_file_that_is_no_audio_is_told(show, server, tmp_path):
    (tmp_path / "paper.wav").write_bytes(b"%PDF-1.7\n" + bytes(3000))
    page = show(server)
    page.set_input_files("#file", tmp_path / "paper.wav")
    expect(page.locator("#error")).to_contain_text("decode", timeout=SLOW)
    expect(page.locator("#state")).to_have_text("ready")
