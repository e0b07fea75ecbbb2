# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Tab completion, by argcomplete, which a shell asks with the line in its environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping

__all__ = ["complete", "finished_words", "is_asked", "suggest"]


def is_asked(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a shell asks for completions."""
    return "_ARGCOMPLETE" in environment


def finished_words(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the words of the line before the one that is being typed, without the program's name."""
    line = environment.get("COMP_LINE", "")
    words = line[: int(environment.get("COMP_POINT", len(line)))].split(" ")
    return [word for word in words[1:-1] if word]


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, and end."""
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options="long")


def suggest(action: argparse.Action, words: Iterable[str]) -> None:
    """Say what an argument can be; files are offered otherwise."""
    known = list(words)
    action.completer = lambda **_: known  # type: ignore[attr-defined]  # argcomplete's way
