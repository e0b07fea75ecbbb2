# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pages in Chromium: what a person does, with a mouse, with the keyboard alone, on a telephone, in the dark."""

from __future__ import annotations

import shutil
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import uvicorn
from PIL import Image
from sqlalchemy import select

from measurements.node_pictures import take_pictures
from monai_anomaly.apps.node.database.tables import Verdict
from monai_anomaly.apps.node.web.app import make_app
from tests.helpers.node_pages import make_node

CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { while (e.parentElement && getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)")
    e = e.parentElement; return getComputedStyle(e).backgroundColor; };
  return Math.min(...[...document.body.querySelectorAll("*")].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
      const pair = [light(getComputedStyle(e).color), light(behind(e))];
      return (Math.max(...pair) + .05) / (Math.min(...pair) + .05); })); }"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
  .filter(e => !e.labels.length && !e.ariaLabel).length
  + [...document.images].filter(i => !i.hasAttribute("alt")).length + (document.querySelectorAll("h1").length !== 1)"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    node = make_node(tmp_path_factory.mktemp("node"), 60)
    server = uvicorn.Server(uvicorn.Config(make_app(node), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield SimpleNamespace(node=node, browser=browser, address=f"http://127.0.0.1:{port}")
        browser.close()
    server.should_exit = True
    thread.join()


@pytest.fixture
def opened(served):
    """Opens a page of a given kind; no console may say anything."""
    said, contexts = [], []

    def open_page(width=1200, dark=False, script=True):
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        context = served.browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=script)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(served.address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def follow(page, link):
    """Click, and wait for the page behind it with all its pictures."""
    with page.expect_navigation():
        link.click()


def test_filter_slide_and_verdict(served, opened):
    page = opened()
    assert page.locator(".cases li").count() == 50
    page.get_by_label("Decision").select_option("anomalous")
    follow(page, page.get_by_role("button", name="Show"))
    assert page.locator(".cases .decision.anomalous").count() == page.locator(".cases li").count() > 0
    follow(page, page.locator(".cases a.open").first)
    page.get_by_label("Map over the picture").fill("80")
    assert page.locator(".stack .over").evaluate("e => getComputedStyle(e).opacity") == "0.8"
    assert page.locator(".stack img").evaluate_all("all => all.every(i => i.naturalWidth === 128)")
    page.get_by_label("disagree").check()
    page.get_by_label("Note").fill("<i>edge</i> of the probe")
    follow(page, page.get_by_role("button", name="Give the verdict"))
    assert "<i>edge</i> of the probe" in page.locator(".history li").first.inner_text()
    with served.node.database.read() as session:
        assert session.scalars(select(Verdict.verdict)).all()[-1] == "disagree"


def test_with_the_keyboard_alone(served, opened):
    page = opened()

    def tab_to(selector):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none"
                return
        pytest.fail(f"{selector} is not reached")

    tab_to(".cases a.open")
    second = page.locator(".cases a.open").nth(1).inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#opacity")
    assert page.locator("h1").inner_text() == second
    tab_to("#opacity")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".stack .over").evaluate("e => e.style.opacity") == "0.95"
    tab_to("[name=verdict]")
    page.keyboard.press("ArrowDown")
    tab_to("button.main")
    page.keyboard.press("Enter")
    page.wait_for_selector(".history")
    assert "disagree" in page.locator(".history li").first.inner_text()


def test_without_script_there_are_three_mixtures(served, opened):
    page = opened(script=False)
    follow(page, page.locator(".cases a.open").first)
    assert not page.locator(".slide").is_visible()
    page.get_by_label("half").check()
    assert page.locator(".mix").is_visible()


def test_the_pictures_of_the_documentation_are_taken(served, tmp_path):
    take_pictures(served.browser, served.address, tmp_path)
    for name in ("worklist.jpg", "worklist_case.jpg"):
        with Image.open(tmp_path / name) as taken:
            assert taken.size == (770, 560) and np.asarray(taken).std() > 1


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_and_can_be_read(served, opened, width, dark):
    page = opened(width, dark)
    for path in ("/", "/?state=refused", "/case/54?at=0", "/case/10", "/numbers", "/login"):
        page.goto(served.address + path)
        assert page.evaluate(WIDE) <= 0, path
        assert page.evaluate(CONTRAST) >= 4.5, path  # WCAG 2.2, level AA
        assert page.evaluate(UNNAMED) == 0, path
