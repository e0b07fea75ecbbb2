# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``serve``: the node that a hospital's archive sends images to."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_serve"]

_PARTS = ("receiver", "worker", "sender", "web")


def add_serve(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "take DICOM images in, score them, and send the results on, until it is ended"
    parser: argparse.ArgumentParser = verbs.add_parser(
        "serve", help=text, description=f"{text.capitalize()}.", epilog="docs/node.md has the settings."
    )
    parser.add_argument("settings", metavar="NODE.yaml", help="the file of settings")
    parser.add_argument(
        "--only",
        metavar="PARTS",
        help="of receiver, worker, sender, web, by commas: what runs on this machine",
    )
    parser.add_argument("--check", action="store_true", help="check the settings, say that they are good, and end")
    parser.add_argument(
        "--new-token",
        nargs=2,
        metavar=("NAME", "ROLE"),
        help="let somebody in, as a reader or an admin of the pages or a sender of images: print a token and end",
    )
    parser.set_defaults(verb=_serve)


def _serve(settings: str, only: str | None, check: bool, new_token: list[str] | None) -> int:
    from monai_anomaly.apps.node.configuration.read_settings import read_settings
    from monai_anomaly.utils.exceptions import ConfigError

    known = read_settings(settings)
    if new_token is not None:
        return _print_token(known, *new_token)
    parts = _PARTS if only is None else tuple(only.split(","))
    for part in parts:
        if part not in _PARTS:
            raise ConfigError(f"--only: there is no part '{part}'; there are {', '.join(_PARTS)}.")
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


def _print_token(settings: Any, name: str, role: str) -> int:
    from monai_anomaly.apps.node.web.people.tokens import add_token
    from monai_anomaly.utils.exceptions import ConfigError

    if settings.web is None or settings.web.tokens_file is None:
        raise ConfigError("--new-token needs the setting 'web.tokens_file', the file that it is entered in.")
    print(add_token(settings.web.tokens_file, name, role))
    return 0
