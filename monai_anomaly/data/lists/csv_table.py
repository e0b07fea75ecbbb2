# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads a table that someone else's program has written; whatever is wrong with it names a line, never a value."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from monai_anomaly.data.errors import DataListError

__all__ = ["Row", "read_table"]

MAX_BYTES = 64 * 2**20
DELIMITERS = ",;\t"
SEPARATOR = re.compile(r'"?sep=([,;\t| ])"?[;,\t]*(?:\r\n|\r|\n)', re.IGNORECASE)
"""The line by which Excel is told, and tells, the separator."""

logger = logging.getLogger(__name__)


class Row(NamedTuple):
    """One row: the line on which it starts, from 1, and the text of each known column, stripped."""

    line: int
    values: dict[str, str]


def read_table(path: Path, columns: Sequence[str], required: str) -> list[Row]:
    """Read a CSV file with a header row, in UTF-8, with commas, semicolons, tabs or what its ``sep=`` line names.

    What a spreadsheet saves as "Unicode text", in UTF-16 with a byte order mark, is read, too.

    Args:
        path: the file.
        columns: names of the columns that are wanted, in lower case; others are left out with a warning.
        required: the column that there must be; the separator is the one that shows it.

    Returns:
        The rows in order; empty ones are left out.

    Raises:
        DataListError: for a file that is too large, is no text in UTF-8, holds NUL bytes, has no such header, a row
            with another number of columns, or quotation marks that do not match.
        OSError: when the file cannot be read.
    """
    name = path.name
    text = _read_text(path)
    text, first, named = _take_separator(text)
    delimiter, header = _find_header(text, required, name, named or DELIMITERS)
    repeated = sorted({column for column in header if column in columns and header.count(column) > 1})
    if repeated:
        raise DataListError(f"{name} has the column {', '.join(repeated)} twice; keep one.")
    unknown = [column for column in header if column not in columns]
    if unknown:
        logger.warning("%d columns of %s are not used; known are %s.", len(unknown), name, ", ".join(columns))
    rows = []
    for line, values in _lines(text, delimiter, name, first):
        if line == first or not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            raise DataListError(
                f"line {line} of {name} has {len(values)} columns, the header has {len(header)}; correct the line (a "
                "text that holds the separator needs quotation marks)."
            )
        pairs = zip(header, values, strict=True)
        rows.append(Row(line, {column: value.strip() for column, value in pairs if column in columns}))
    if not rows:
        raise DataListError(f"{name} has no rows below its header; add one for each image or study.")
    return rows


def _read_text(path: Path) -> str:
    with open(path, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DataListError(
            f"{path.name} is larger than {MAX_BYTES // 2**20} MiB; keep only the columns that are read."
        )
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decode_wide(content, path.name)
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise DataListError(f"line {line} of {path.name} holds a NUL byte; save the table as CSV in UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataListError(f"line {line} of {path.name} is not UTF-8; save the table as CSV in UTF-8.") from None


def _decode_wide(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-16")
    except UnicodeDecodeError:
        raise DataListError(f"{name} is neither UTF-8 nor UTF-16; save the table as CSV in UTF-8.") from None


def _take_separator(text: str) -> tuple[str, int, str]:
    """Return the table, the number of its first line, and the separator that a line ``sep=;`` before it names."""
    match = SEPARATOR.match(text)
    return (text, 1, "") if match is None else (text[match.end() :], 2, match[1])


def _find_header(text: str, required: str, name: str, delimiters: str) -> tuple[str, list[str]]:
    """Return the separator and the column names in lower case."""
    for delimiter in delimiters:
        for _, values in _lines(text, delimiter, name):
            header = [value.strip().lower() for value in values]
            if required in header and len(header) > 1:
                return delimiter, header
            break
    raise DataListError(
        f"the first line of {name} must name its columns, separated by commas, semicolons or tabs, among them "
        f"{required!r}; add it."
    )


def _lines(text: str, delimiter: str, name: str, first: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line on which it starts, the first one's being `first`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + first
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise DataListError(
                f"line {line} of {name} cannot be read; check its quotation marks, line ends and length."
            ) from None
        yield line, values
