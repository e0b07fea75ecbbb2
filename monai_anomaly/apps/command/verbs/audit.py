# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``audit``: whether an audit log is whole."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_audit"]


def add_audit(verbs: Any) -> None:
    """Add the verb to the parser."""
    text = "check an audit log, which runs write with --audit FILE --operator NAME"
    parser = verbs.add_parser("audit", help=text, description=f"{text.capitalize()}.")
    actions = parser.add_subparsers(metavar="verify", required=True)
    about = "find an edited, a missing and a cut line, and say what the log holds"
    codes = "Exit codes: 0 the log is whole, 3 it is not, 1 there is none or it cannot be read, 2 no such option."
    verify = actions.add_parser("verify", help=about, description=f"{about.capitalize()}.", epilog=codes)
    verify.add_argument("path", metavar="FILE_OR_DIR", help="an audit log, or a folder of them")
    verify.add_argument(
        "--chain-only",
        action="store_true",
        help="check without the site's key, which tells less: a chain can be forged",
    )
    verify.add_argument(
        "--anchor", type=_anchor, metavar="NUMBER:DIGEST", help="a line that the log must have, from an earlier check"
    )
    verify.set_defaults(verb=_verify)


def _anchor(text: str) -> tuple[int, str]:
    from monai_anomaly.utils.audit.verification import parse_anchor

    try:
        return parse_anchor(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _verify(path: str, chain_only: bool, anchor: tuple[int, str] | None) -> int:
    from monai_anomaly.apps.audit.verify_logs import verify_logs

    return verify_logs(path, chain_only=chain_only, anchor=anchor)
