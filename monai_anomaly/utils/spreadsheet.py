# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Tables for a spreadsheet, which must not run a text that is in them; every table of the package is written here."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["as_text", "csv_lines", "csv_text"]

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with, in full width, too, as East Asian keyboards write it."""

_NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def as_text(value: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula.

    The apostrophe is what a person types there for the same; programs take it away again (``removeprefix("'")``). A
    negative number stays one.

    Example:
        >>> as_text("=1+1"), as_text("image.png"), as_text("-0.5"), as_text("-1+1")
        ("'=1+1", 'image.png', '-0.5', "'-1+1")
    """
    return f"'{value}" if value.startswith(_FORMULA) and not _NEGATIVE.fullmatch(value) else value


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, object]]) -> Iterator[str]:
    """Yield a table's lines, the names of its columns first, each with its line end.

    Texts go through :func:`as_text`. Numbers are written so that they are read back as they are; None is empty.

    Args:
        columns: their names.
        rows: their values: in the order of the columns, or by name; one that is missing is empty.

    Example:
        >>> list(csv_lines(["name", "score"], [["=1", -0.5], {"name": "a,b"}]))
        ['name,score\\n', "'=1,-0.5\\n", '"a,b",\\n']
    """
    yield _line(columns)
    for row in rows:
        yield _line([row.get(column) for column in columns] if isinstance(row, Mapping) else row)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, object]]) -> str:
    """Return a table; see :func:`csv_lines`."""
    return "".join(csv_lines(columns, rows))


def _line(values: Iterable[object]) -> str:
    stream = io.StringIO()
    # with RFC 4180's line ends, or a name with either of the two characters in it would not be quoted
    csv.writer(stream, lineterminator="\r\n").writerow(
        as_text(value) if isinstance(value, str) else value for value in values
    )
    return stream.getvalue().removesuffix("\r\n") + "\n"
