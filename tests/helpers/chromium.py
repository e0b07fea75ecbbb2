# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""A page as Chromium shows it, used and measured by a script of the test's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.parsed_page import ParsedPage

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

PROBE = """<script>
function luminance(color) {
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [r, g, b] = color.match(/[\\d.]+/g).map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
}
function contrast(element) {
  let behind = element;
  while (behind.parentElement && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
    behind = behind.parentElement;
  const style = getComputedStyle(element), front = element instanceof SVGElement ? style.fill : style.color;
  const pair = [luminance(front), luminance(getComputedStyle(behind).backgroundColor)];
  return (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
}
addEventListener("load", () => {
  const texts = [...document.body.querySelectorAll("*")].filter(e => e.tagName !== "SCRIPT" &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  document.body.dataset.probe = JSON.stringify({
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  contrast: Math.min(...texts.map(contrast)),
  widths: [...document.images].map(i => i.naturalWidth),
  shown: [...document.images].map(i => i.getBoundingClientRect().width),
  charts: [...document.querySelectorAll("svg.chart")].map(s => s.getBoundingClientRect().height),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  fetched: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
  narrow: [400, 320].map(width => {
    document.body.style.width = width + "px"; return document.body.scrollWidth - width; }),
  steps: [...document.querySelectorAll(".steps input")].map(step => {
    step.click(); return +getComputedStyle(document.querySelector(".over")).opacity; }),
  clicks: [0, 1, 1].map(click => {
    if (click) document.querySelector(".tiles .picture").click();
    return document.querySelector(".picture").getBoundingClientRect().width; }),
  unnamed: [...document.querySelectorAll("input")].filter(i =>
    !(i.ariaLabel || [...i.labels].some(label => label.textContent.trim()))).map(i => i.outerHTML),
  ratios: [...document.querySelectorAll(".picture")].map(p => p.clientWidth / p.clientHeight),
}) })</script></body>"""


def open_page(html: str, folder: Path, *, width: int, dark: bool) -> dict[str, Any]:
    """Return what the probe saw of a page, and the messages on the browser's console as ``console``."""
    # Only the probe's script is let in; the rule for images and everything else stays as it is.
    probed = html.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (folder / "probed.html").write_text(probed.replace("</body>", PROBE), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += f" --disable-component-update --disable-sync --user-data-dir={folder}/profile --window-size={width},900"
    flags += f" --blink-settings=preferredColorScheme={0 if dark else 1} --enable-logging=stderr --dump-dom"
    command = [str(CHROMIUM), *flags.split(), (folder / "probed.html").as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = next(attributes for tag, attributes in ParsedPage(run.stdout).tags if tag == "body")
    console = [line for line in run.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(body["data-probe"]) | {"console": console}


def assert_is_usable(seen: dict[str, Any], *, dark: bool) -> None:
    """What holds of every page with cards: it is readable, fits, fetches nothing, and its controls work."""
    assert seen["console"] == [] and seen["fetched"] == []  # nothing that the page's policy forbids was tried
    assert seen["dark"] == dark and seen["contrast"] >= 4.5  # WCAG 2.2, level AA
    assert seen["overflow"] <= 0 and max(seen["narrow"]) <= 0
    assert min(seen["shown"]) > 50
    assert seen["unnamed"] == []
    assert seen["steps"] == [0, 0.5, 1]  # off, half, full
    small, large, after = seen["clicks"]
    assert large > 2 * small and after == small
