# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``serve``: the node that a hospital's archive sends images to."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_serve"]


def add_serve(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "take DICOM images in, score them, and send the results on, until it is ended"
    parser: argparse.ArgumentParser = verbs.add_parser(
        "serve", help=text, description=f"{text.capitalize()}.", epilog="docs/node.md has the settings."
    )
    parser.add_argument("settings", metavar="NODE.yaml", help="the file of settings")
    parser.add_argument(
        "--only", metavar="PARTS", help="of receiver, worker, sender, with commas between: what runs on this machine"
    )
    parser.add_argument("--check", action="store_true", help="check the settings, say that they are good, and end")
    parser.set_defaults(verb=_serve)


def _serve(settings: str, only: str | None, check: bool) -> int:
    from monai_anomaly.apps.node.configuration.read_settings import read_settings
    from monai_anomaly.utils.exceptions import ConfigError

    known = read_settings(settings)
    parts = ("receiver", "worker", "sender") if only is None else tuple(only.split(","))
    for part in parts:
        if part not in ("receiver", "worker", "sender"):
            raise ConfigError(f"--only: there is no part '{part}'; there are receiver, worker, sender.")
    if check:
        print("the settings are good.")
        return 0
    try:
        from monai_anomaly.apps.node.supervisor import serve
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the node needs the extra 'node' ({error.name} is missing): pip install '.[node]'."
        ) from None
    serve(known, parts)
    return 0
