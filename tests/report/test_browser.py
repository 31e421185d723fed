"""The page in a real browser: phone and desktop, light and dark. The screenshots are kept in build/report."""

import itertools
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lake.report import page as report_page
from tests.local_aws import REPOSITORY
from tests.report import sample

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = REPOSITORY / "build" / "report"
SIZES: dict[str, Any] = {"phone": {"width": 360, "height": 800}, "desktop": {"width": 1280, "height": 900}}
# A4 between margins of 1 cm, at 96 pixels an inch.
A4: Any = {"width": 718, "height": 1047}
LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]
SECTIONS = ["flow", "freshness", "quality", "quarantine", "alarms", "runs", "cost"]

# Text that has less contrast than 4.5 to 1 (WCAG 2.2, 1.4.3), with its colours.
TOO_FAINT = """() => {
  const parsed = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return {r, g, b, a}; };
  const part = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = ({r, g, b}) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const behind = (element) => {
    const rect = element.closest('svg g')?.querySelector('rect');
    if (rect) return parsed(getComputedStyle(rect).fill);
    for (let at = element; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return {r: 255, g: 255, b: 255};
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest('title') || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const colour = parsed(element.closest('svg') ? style.fill : style.color);
    const [dark, bright] = [light(colour), light(behind(element))].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < 4.5) found.push([walker.currentNode.textContent.trim().slice(0, 40), contrast]);
  }
  return found;
}"""

# Text of the flow that leaves its box.
OUT_OF_ITS_BOX = """() => [...document.querySelectorAll('.picture g text')].filter((text) => {
  const rect = text.parentElement.querySelector('rect').getBoundingClientRect(), own = text.getBoundingClientRect();
  return own.width && (own.right > rect.right - 2 || own.bottom > rect.bottom);
}).map((text) => text.textContent)"""

# What can be scrolled and cannot be reached with a keyboard.
OUT_OF_REACH = """() => [...document.querySelectorAll('*')].filter(
  (element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === 'auto'
    && element.tabIndex < 0).map((element) => element.className)"""


SHOWN_SECTIONS = """() => [...document.querySelectorAll('h2')].filter((head) => head.checkVisibility())
  .map((head) => head.id)"""

# Pictures that a screen reader cannot name.
NAMELESS = """() => [...document.querySelectorAll('svg[role=img]')]
  .filter((svg) => !svg.getAttribute('aria-label') && !svg.getAttribute('aria-labelledby')).length"""


def installed() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = installed()
    if path is None:
        message = f"no browser on the PATH ({', '.join(BROWSERS)}): nobody has looked at the page"
        if os.environ.get("REPORT_BROWSER") == "required":
            pytest.fail(message)
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of the sample lakes as files."""
    folder = tmp_path_factory.mktemp("report")
    reports = {"busy": sample.busy(), "empty": sample.empty(), "unreadable": sample.unreadable()}
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(report_page.rendered(report, "RUNBOOK.md"), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture(params=LOOKS, ids=lambda look: "-".join(look))
def look(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[str, Page, list[str]]]:
    """A tab that looks like one of the four; with its name and with everything that went on in it besides the page."""
    size, scheme = request.param
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    tab, noise = context.new_page(), list[str]()
    tab.on("console", lambda message: noise.append(f"console: {message.text}"))
    tab.on("pageerror", lambda error: noise.append(f"error: {error}"))
    tab.on("dialog", lambda dialog: noise.append(f"dialog: {dialog.message}"))
    tab.on("request", lambda asked: noise.append(f"request: {asked.url}"))
    yield f"{size}-{scheme}", tab, noise
    context.close()


@pytest.mark.parametrize("name", ["busy", "empty", "unreadable"])
def test_the_page_is_whole_quiet_and_legible(
    look: tuple[str, Page, list[str]], pages: dict[str, Path], name: str
) -> None:
    looks, tab, noise = look
    tab.goto(pages[name].as_uri())
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=SCREENSHOTS / f"{name}-{looks}.png", full_page=True)
    assert noise == [f"request: {pages[name].as_uri()}"]
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(SHOWN_SECTIONS) == SECTIONS
    assert tab.evaluate(TOO_FAINT) == []
    assert tab.evaluate(OUT_OF_ITS_BOX) == []
    assert tab.evaluate(OUT_OF_REACH) == []


def test_one_picture_of_the_flow_is_shown(look: tuple[str, Page, list[str]], pages: dict[str, Path]) -> None:
    looks, tab, _ = look
    tab.goto(pages["busy"].as_uri())
    shown = tab.evaluate("[...document.querySelectorAll('.picture')].filter((p) => p.checkVisibility()).length")
    assert shown == 1
    name = "narrow" if looks.startswith("phone") else "wide"
    assert tab.locator(f".picture.{name}").is_visible()


def test_paper_is_white_whatever_the_screen_likes(look: tuple[str, Page, list[str]], pages: dict[str, Path]) -> None:
    _, tab, _ = look
    tab.goto(pages["busy"].as_uri())
    tab.emulate_media(media="print")
    tab.set_viewport_size(A4)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate(TOO_FAINT) == []


def test_the_headings_of_a_page_make_an_outline(look: tuple[str, Page, list[str]], pages: dict[str, Path]) -> None:
    _, tab, _ = look
    tab.goto(pages["busy"].as_uri())
    levels = tab.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((head) => Number(head.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert [pair for pair in itertools.pairwise(levels) if pair[1] > pair[0] + 1] == []
    assert tab.evaluate(NAMELESS) == 0
