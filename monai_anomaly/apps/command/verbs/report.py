# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``report``: what an evaluation or an inference left in a folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monai_anomaly.report.evaluation_summary import result_lines
from monai_anomaly.utils.bundle_folders import find_bundle
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["add_report", "show_report"]


def add_report(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "show the main numbers of an evaluation or an inference, and where its page is"
    parser = verbs.add_parser("report", help=text, description=f"{text.capitalize()}.")
    parser.add_argument("folder", metavar="DIR", help="an output folder, or a bundle for that of its runs")
    parser.add_argument("--open", action="store_true", dest="opens", help="open the page in the browser")
    parser.set_defaults(verb=show_report)


def show_report(folder: str, opens: bool = False) -> int:
    """Print what is there.

    Raises:
        ConfigError: when nothing is, or it cannot be read.
    """
    pages: list[Path] = []
    for place in _places(folder):
        for name, page, read in (("metrics.json", "report.html", _numbers), ("records.jsonl", "index.html", _records)):
            if (place / name).is_file():
                print("\n".join(read(place / name)))
                pages += _page(place / page)
    if opens and not pages:
        raise ConfigError(f"there is no page in '{folder}' to open; run the evaluation or the inference again.")
    if opens:
        import webbrowser

        webbrowser.open(pages[0].resolve().as_uri())
    return 0


def _places(word: str) -> Iterator[Path]:
    """Yield the folders that results are in: the one named, or those of a bundle."""
    given = Path(word).expanduser()
    home = given if given.is_dir() else find_bundle(word).home
    found = [home / below for below in ("", "output", "output/inference", "inference")]
    found = [place for place in found if any((place / name).is_file() for name in ("metrics.json", "records.jsonl"))]
    if not found:
        raise ConfigError(
            f"there is no result in '{home}': 'monai-anomaly evaluate BUNDLE' writes metrics.json and report.html, "
            "'monai-anomaly predict IN OUT' writes records.jsonl; both take --output_dir."
        )
    yield from found


def _page(page: Path) -> list[Path]:
    if not page.is_file():
        return []
    print(f"{'page':18} {page}")
    return [page]


def _numbers(file: Path) -> list[str]:
    try:
        return result_lines(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"'{file}' is not what an evaluation of this version writes; evaluate again.") from None


def _records(file: Path) -> list[str]:
    """Count the records line by line, however many there are."""
    states: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                states[record["status"]] += 1
                if record["decision"] is not None:
                    decisions[record["decision"]] += 1
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"'{file}' is not what an inference of this version writes; predict again.") from None
    counted = [("files", states), ("decisions", decisions)]
    return [f"{name:18} {', '.join(f'{n} {key}' for key, n in found.items()) or 'none'}" for name, found in counted]
