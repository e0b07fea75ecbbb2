# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pages, and the blocks of commands and of Python in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.repository import ROOT

__all__ = ["PAGES", "Block", "blocks", "unseen_lines"]

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs").glob("notebooks/*.md")),
    *sorted((ROOT / "bundles").glob("*/docs/README.md")),
]


@dataclass(frozen=True)
class Block:
    """What stands between two fences of a page.

    Args:
        page: relative to the repository.
        number: counted from 1, among the page's blocks of its language.
        lines: commands, or lines of Python.
    """

    page: str
    number: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def blocks(page: Path, language: str) -> list[Block]:
    """Return the blocks of a language on a page; of commands, lines that go on are joined and comments left out."""
    texts = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    if language == "bash":
        texts = [text.replace("\\\n", " ") for text in texts]
    name = page.relative_to(ROOT).as_posix()
    return [Block(name, n, tuple(_lines(text, language))) for n, text in enumerate(texts, start=1)]


def _lines(text: str, language: str) -> list[str]:
    lines = text.splitlines()
    return lines if language != "bash" else [line for line in lines if line.strip() and not line.startswith("#")]


def unseen_lines(found: list[Block]) -> list[Block]:
    """Return the blocks without the commands that an earlier one has, and no empty block."""
    seen: set[str] = set()
    rest: list[Block] = []
    for block in found:
        lines = tuple(line for line in block.lines if line not in seen)
        seen |= set(lines)
        if lines:
            rest.append(Block(block.page, block.number, lines))
    return rest
