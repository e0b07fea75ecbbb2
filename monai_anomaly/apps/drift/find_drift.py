# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``drift``: compares the records of a period with a reference, writes a page and JSON, and alarms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from monai_anomaly.apps.drift.assessment import assess
from monai_anomaly.apps.drift.drift_page import alarm_sentences, as_json, drift_page
from monai_anomaly.apps.drift.record_columns import make_columns, read_records, used_rate
from monai_anomaly.apps.drift.same_weights import same_weights
from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.folder_lock import FolderLock

__all__ = ["ALARM", "find_drift"]

ALARM = 3
"""Exit code of a period that is not like the reference."""


def find_drift(
    records: Sequence[str], reference: str, output: str, *, window: int = 50, false_alarms: float = 0.01
) -> int:
    """Compare a period with a reference, write ``drift.json`` and ``drift.html``, and return the exit code: 0 or 3.

    Nothing else is changed, no threshold and no calibration.

    Args:
        records: files or folders of the period's records, in the order of time.
        reference: file or folder of the reference's.
        output: folder to write to; made when missing.
        window: patients in a window.
        false_alarms: how often a period without drift may alarm, in (0, 1).

    Raises:
        ConfigError: for records that cannot be read or compared, or a folder that cannot be written.
    """
    paths = [Path(each) for each in records]
    period, before = read_records(paths), read_records([Path(reference)])
    weights = same_weights(paths, Path(reference))
    rate = used_rate([*period, *before])
    assessment = assess(
        make_columns(period, rate), make_columns(before, rate), window=window, false_alarms=false_alarms
    )
    made, folder = datetime.now(timezone.utc), Path(output).expanduser()
    details = {
        "Weights": f"sha256 {weights[:16]}"
        if weights
        else "unknown: no run.json or calibration.json beside the records",
        "Records of the reference": len(before),
        "Patients in a window": window,
        "False-alarm rate of the decisions": "no decisions" if rate is None else f"{100 * rate:g} %",
    }
    try:
        text = json.dumps(as_json(assessment, len(period), made), indent=2, allow_nan=False)
        page = drift_page(assessment, len(period), made, details)
        with FolderLock({"output folder": folder}):
            atomic_write(folder / "drift.json", text + "\n")
            atomic_write(folder / "drift.html", page.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise ConfigError(f"'{folder}' cannot be written ({error.strerror}); name another folder.") from None
    sentences = alarm_sentences(assessment)
    print("\n".join(sentences) if sentences else "no drift was found")
    print(f"page               {folder / 'drift.html'}")
    return ALARM if sentences else 0
