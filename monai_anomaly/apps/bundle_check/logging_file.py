# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a ``logging.conf`` would run: Python evaluates its classes and arguments."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from monai_anomaly.apps.bundle_check.finding import Finding, shown

__all__ = ["check_logging"]

_CLASSES = ("Formatter", "NullHandler", "StreamHandler")
"""Those that write nowhere but to the terminal. MONAI lets any of Python's through, also those that write files or
send mail."""

_ARGUMENTS = re.compile(r"|\(\s*\)|\{\s*\}|\(\s*(sys\.(stdout|stderr)\s*,?\s*)?\)")


def check_logging(data: bytes, file: str) -> list[Finding]:
    """Look at a logging configuration; nothing in it is evaluated.

    Args:
        data: its content.
        file: its path in the bundle.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode("utf-8"))
    except (configparser.Error, ValueError):
        return [Finding(file, "", "it cannot be read as a logging configuration")]
    return [Finding(file, shown(s, 40), problem) for s in parser.sections() for problem in _problems(dict(parser[s]))]


def _problems(section: dict[str, str]) -> Iterator[str]:
    name = section.get("class", "").strip()
    if name and name.removeprefix("logging.") not in _CLASSES:
        yield f"class '{shown(name)}' is none that only writes to the terminal"
    for key in ("args", "kwargs"):
        if not _ARGUMENTS.fullmatch(section.get(key, "").strip()):
            yield f"{key} '{shown(section[key])}' would be evaluated by Python"
