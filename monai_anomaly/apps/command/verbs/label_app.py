# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``label-app``: a folder for MONAI Label's server."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["add_label_app"]


def add_label_app(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "write the folder of an app for MONAI Label's server"
    parser: argparse.ArgumentParser = verbs.add_parser(
        "label-app", help=text, description=f"{text.capitalize()}.", epilog="docs/monai_label.md says how it is used."
    )
    parser.add_argument("folder", metavar="DIR", help="the new folder; nothing may be in it")
    parser.set_defaults(verb=_write)


def _write(folder: str) -> int:
    from monai_anomaly.apps.label.app_folder import write_app_folder

    write_app_folder(Path(folder).expanduser())
    print(
        f"the app is in {folder}; start it, in an environment with MONAI Label, with\n"
        f"monailabel start_server --app {folder} --studies STUDIES --conf models MODEL.pt"
    )
    return 0
