# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``audit verify``: says whether audit logs are whole, and what is in them."""

from __future__ import annotations

import os
from pathlib import Path

from monai_anomaly.utils.audit.verification import Verification, find_logs, verify_log
from monai_anomaly.utils.exceptions import AuditError
from monai_anomaly.utils.identity import site_key

__all__ = ["FOUND", "verify_logs"]

FOUND = 3
"""Exit code where a log is not whole."""


def verify_logs(path: str, *, chain_only: bool = False, anchor: tuple[int, str] | None = None) -> int:
    """Check logs, print what was found, and return the exit code: 0 where all are whole, 3 where one is not.

    Args:
        path: a log, or a folder of logs.
        chain_only: check without the site's key.
        anchor: number and digest of a line that the log must have.

    Raises:
        AuditError: when there is no log, it was written with another key, or an anchor is given for several.
    """
    logs = find_logs(Path(os.path.realpath(Path(path).expanduser())))
    if anchor is not None and len(logs) > 1:
        raise AuditError(f"an anchor is of one log and '{path}' holds {len(logs)}; name the file.")
    key = None if chain_only else site_key()
    found = [verify_log(log, key, anchor) for log in logs]
    print("\n\n".join("\n".join(_lines(each, chain_only)) for each in found))
    return FOUND if any(each.finding for each in found) else 0


def _lines(seen: Verification, chain_only: bool) -> list[str]:
    rows = [("log", f"{seen.path}, {_count(seen.files, 'file')}"), ("lines", _count(seen.lines, "good line"))]
    if seen.lines:
        rows.append(("period", f"{seen.first} to {seen.last}"))
        rows.append(("operators", ", ".join(f"{_shown(who)} ({n})" for who, n in sorted(seen.operators.items()))))
    for weights in sorted({weights for weights, _ in seen.decisions}):
        counts = sorted((decision, n) for (model, decision), n in seen.decisions.items() if model == weights)
        rows.append(("decisions", f"{_shown(weights)[:12]}: {', '.join(f'{n} {_shown(what)}' for what, n in counts)}"))
    if seen.repairs:
        rows.append(("repairs", f"{seen.repairs} after a kill; see the lines 'repair'"))
    rows += [("note", note) for note in seen.notes]
    if seen.finding:
        rows.append(("NOT WHOLE", seen.finding))
    else:
        rows.append(("anchor", f"{seen.anchor} (keep it elsewhere; --anchor holds the log against it later)"))
        rows.append(("whole", "the chain alone; without the key it can be made anew" if chain_only else "yes"))
    return [f"{name:10} {text}" for name, text in rows]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(text: str) -> str:
    """Return a text of a log, which may be forged, as it can be printed on a terminal."""
    return text[:64] if text.isprintable() else ascii(text)[:64]
