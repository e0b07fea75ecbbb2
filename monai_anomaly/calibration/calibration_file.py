# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The file of a calibration: JSON that a person can read, with a checksum."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_anomaly.utils.atomic import atomic_write
from monai_anomaly.utils.exceptions import CalibrationError

__all__ = ["FORMAT", "VERSION", "checksum", "read_content", "write_content"]

FORMAT = "monai_anomaly calibration"
VERSION = 1


def write_content(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write a calibration's content, one entry a line, with its checksum, whole or not at all.

    Raises:
        OSError: when it cannot be written; what was at `path` is untouched.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    entries = {**content, "checksum": checksum(content)}
    lines = (f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in entries.items())
    atomic_write(path, "{\n  " + ",\n  ".join(lines) + "\n}\n")


def checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a content, whatever the order of its entries.

    Raises:
        ValueError: for numbers that are not finite.
    """
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_content(name: str) -> dict[str, Any]:
    """Return the content of a calibration's file, of a version that is known, with the checksum unchecked.

    Raises:
        CalibrationError: when there is none, or it is no JSON of this format and version.
    """
    if not os.path.isfile(name):
        raise CalibrationError(f"there is no calibration '{name}': run calibrate first, or name another file.")
    try:
        content = json.loads(Path(name).read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise CalibrationError(f"the calibration '{name}' cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise CalibrationError(
            f"the calibration '{name}' was edited or cut short: it is no JSON; run calibrate again."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CalibrationError(f"'{name}' is not a calibration of this package; name the file that calibrate wrote.")
    if content.get("version") != VERSION:
        raise CalibrationError(
            f"the calibration '{name}' is of version {content.get('version')!r} and this package reads {VERSION}: "
            "use the package that wrote it, or run calibrate again."
        )
    return content


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
