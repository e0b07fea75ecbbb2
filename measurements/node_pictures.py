# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pictures of docs/worklist.md: the list and its first case, as the node of ``make node`` shows them.

``python -m measurements.node_pictures FOLDER`` writes ``worklist.jpg`` and ``worklist_case.jpg``, with a
Chromium.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["take_pictures"]

SIDES = (1100, 800)
"""Of the window."""
SCALE = 0.7
QUALITY = 75


def take_pictures(browser: Browser, address: str, folder: Path) -> None:
    """Write the two pictures.

    Args:
        browser: that looks.
        address: of the node, which lets everybody in.
        folder: to write into.
    """
    page = browser.new_page(viewport={"width": SIDES[0], "height": SIDES[1]})
    page.goto(address)
    _save(page, folder / "worklist.jpg")
    page.locator(".cases a.open").first.click()
    page.wait_for_selector("#opacity")
    _save(page, folder / "worklist_case.jpg")
    page.close()


def _save(page: Page, path: Path) -> None:
    """Write what the window shows, small."""
    page.wait_for_load_state("networkidle")
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        small = picture.convert("RGB").resize([round(SCALE * side) for side in SIDES], Image.Resampling.LANCZOS)
    small.save(path, quality=QUALITY, optimize=True)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m measurements.node_pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--address", default="http://127.0.0.1:8080", help="of the node")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="a Chromium")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser)
        take_pictures(browser, options.address, options.folder)
        browser.close()


if __name__ == "__main__":
    main()
