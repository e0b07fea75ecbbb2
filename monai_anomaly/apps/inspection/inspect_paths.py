# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""``python -m monai_anomaly inspect``: how each file of an archive is read, or why not.

Every file gets one record, whatever it is; what is reported is what a bundle is given, by the transform that a bundle
reads with.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from monai_anomaly.apps.inspection.contact_sheet import ContactSheet
from monai_anomaly.apps.inspection.inspector import Inspector
from monai_anomaly.apps.inspection.listed_files import ListedFile, UsageError, list_paths
from monai_anomaly.apps.inspection.text_output import FileLines, Summary
from monai_anomaly.transforms.load import LoadClinicalImage
from monai_anomaly.utils.atomic import atomic_path
from monai_anomaly.utils.printable import printable

__all__ = ["inspect_paths"]

ALL_READ, SOME_REFUSED, INTERRUPTED, PIPE_CLOSED = 0, 3, 130, 141


def inspect_paths(
    paths: Sequence[str],
    *,
    load: LoadClinicalImage,
    frames: str = "middle",
    usual_size: int = 1,
    as_json: bool = False,
    sheet: str | None = None,
    sheet_limit: int = 200,
) -> int:
    """Print how each file is read while it works, and a summary at the end.

    Args:
        paths: files and folders.
        load: what a bundle loads files with.
        frames: rule for the frames of a cine.
        usual_size: height and width below which a file that is read gets a warning.
        as_json: print one JSON object for each file on the standard output, and the summary on the standard error.
        sheet: a PNG to make, with a tile for each of the first files.
        sheet_limit: most tiles of the sheet.

    Returns:
        0 when all files were read, 3 when some were refused, 130 when interrupted, 141 when the output was closed.

    Raises:
        UsageError: before anything is read: when a path does not exist or the sheet cannot be made there.
        ConfigError: before anything is read: when there is no key for the hashes.
        OSError: when the output or the sheet cannot be written.
    """
    passed: Counter[str] = Counter()
    files = list_paths(paths, passed)
    sheet = None if sheet is None else os.path.expanduser(sheet)
    inspector = Inspector(load, frames, usual_size=usual_size)
    summary = Summary(len(files), passed)
    with ExitStack() as stack:
        page = temporary = None
        if sheet is not None:
            temporary = _reserve(stack, sheet)
            page = ContactSheet(min(len(files), sheet_limit))
        stopped = _inspect_all(files, inspector, summary, page, as_json)
        if page is not None and temporary is not None:
            page.save(temporary, summary.title(page.painted))
    try:
        if stopped != PIPE_CLOSED:
            lines = summary.lines(inspector.hashes)
            _write(lines if as_json else ["", *lines], sys.stderr if as_json else sys.stdout)
    except BrokenPipeError:
        stopped = PIPE_CLOSED
    if stopped == PIPE_CLOSED:
        _drop_output()
    return stopped or (SOME_REFUSED if summary.refused else ALL_READ)


def _inspect_all(
    files: list[ListedFile], inspector: Inspector, summary: Summary, page: ContactSheet | None, as_json: bool
) -> int:
    """Inspect and print file by file; return the exit code of an early end, or 0."""
    try:
        layout = FileLines(len(files))
        if not as_json:
            _write([layout.head()], sys.stdout)
        for number, file in enumerate(files, 1):
            record, image = inspector.inspect(file)
            lines = [json.dumps(record, allow_nan=False)] if as_json else layout.lines(number, record, summary.numbers)
            _write(lines, sys.stdout)
            summary.add(number, record)
            if page is not None and page.painted < page.tiles:
                _paint(page, number, record, image)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return PIPE_CLOSED
    return 0


def _reserve(stack: ExitStack, sheet: str) -> Path:
    """Make sure, before hours of reading, that the sheet can be written; return where to write it."""
    if not sheet.lower().endswith(".png"):
        raise UsageError(f"the sheet '{printable(sheet)}' must have a name that ends in .png; rename it.")
    if os.path.isdir(sheet):
        raise UsageError(f"the sheet '{printable(sheet)}' is a folder; name a file.")
    try:
        return stack.enter_context(atomic_path(sheet))
    except OSError as error:
        raise UsageError(f"the sheet '{printable(sheet)}' cannot be written ({error.strerror}); correct it.") from None


def _paint(page: ContactSheet, number: int, record: dict[str, Any], image: np.ndarray | None) -> None:
    """Add a tile; its caption has numbers and words of closed lists, nothing that a file could choose freely."""
    if image is None:
        page.add(number, None, ["refused"], record["code"])
        return
    _, rows, columns = record["shape"]
    what = "  ".join(filter(None, (record["modality"] or record["kind"], record["photometric"])))
    size = f"{rows} x {columns}" + (f"   {record['frames']} frames" if record["frames"] > 1 else "")
    region = "" if record["region"] == "none" else f"region {record['region']}"
    if record["code"] is not None:
        page.add(number, image, [what, size], f"refused: {record['code']}")
    elif record["region"] == "untrusted":
        page.add(number, image, [what, size], region)
    else:
        page.add(number, image, [what, size, region])


def _write(lines: Sequence[str], stream: Any) -> None:
    """Write lines at once, whatever the terminal's encoding lacks written out."""
    if stream is None:  # closed by whoever started us
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _drop_output() -> None:
    """Let Python end without a message about a pipe whose reader has gone."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
