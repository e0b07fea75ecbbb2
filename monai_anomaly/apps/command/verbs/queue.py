# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``queue``: what a node's jobs wait for, and another try for those that were given up."""

from __future__ import annotations

import argparse
from typing import Any

from monai_anomaly.apps.arguments import count

__all__ = ["add_queue"]


def add_queue(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "show how many jobs of a node are in which state, and why some were refused or given up"
    parser: argparse.ArgumentParser = verbs.add_parser(
        "queue", help=text, description=f"{text.capitalize()}.", epilog="docs/node.md has the settings."
    )
    parser.add_argument("settings", metavar="NODE.yaml", help="the node's file of settings")
    parser.add_argument("--dead", action="store_true", help="list the jobs that were given up, with their reasons")
    parser.add_argument("--again", type=count, nargs="+", metavar="JOB", help="try jobs again that were given up")
    parser.set_defaults(verb=_queue)


def _queue(settings: str, dead: bool, again: list[int] | None) -> int:
    from monai_anomaly.apps.node.configuration.read_settings import read_settings
    from monai_anomaly.utils.exceptions import ConfigError

    known = read_settings(settings)
    try:
        from monai_anomaly.apps.node.opening import open_database
        from monai_anomaly.apps.node.queue_text import queue_text, try_again
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the node needs the extra 'node' ({error.name} is missing): pip install '.[node]'."
        ) from None
    database = open_database(known)
    if again:
        try_again(database, again)
    print(queue_text(database, dead=dead))
    database.close()
    return 0
