# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the command lines of the node's measurements share."""

from __future__ import annotations

import argparse

__all__ = ["node_parser"]


def node_parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser of ``--checkpoint``, ``--postgres`` and ``--folder``.

    Args:
        name: of the module in ``measurements.node``.
        about: its docstring, whose first paragraph is shown.
    """
    description = (about or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog=f"python -m measurements.node.{name}", description=description)
    parser.add_argument("--checkpoint", required=True, metavar="MODEL.pt", help="a detector, its calibration beside it")
    parser.add_argument("--postgres", action="store_true", help="use PostgreSQL, too, not SQLite alone")
    parser.add_argument("--folder", metavar="DIR", help="where to work (default: the system's folder for such)")
    return parser
