# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``inspect`` prints for people: a line for each file, and the summary that is read when there are thousands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from monai_anomaly.data.sets.duplicates import find_duplicates
from monai_anomaly.utils.grouped_sentences import GroupedSentences
from monai_anomaly.utils.printable import printable

__all__ = ["FileLines", "Summary"]

GROUPS_SHOWN = 20


class FileLines:
    """The lines for people: one for each file, what is wrong indented below it.

    Args:
        total: number of files.
    """

    def __init__(self, total: int) -> None:
        self._width = max(len(str(total)), 2)

    def head(self) -> str:
        """Return the names of the columns."""
        names = ("status", "C x H x W", "kind", "photometric", "frames", "region", "mm per pixel", "mean", "min", "max")
        return self._row("#", *names, "applied") + f"{'id':<16}  file"

    def lines(self, number: int, record: dict[str, Any], numbers: dict[str, int]) -> list[str]:
        """Return a file's line and those indented below it.

        Args:
            number: its running number.
            record: of :class:`~monai_anomaly.apps.inspection.inspector.Inspector`.
            numbers: the running numbers of the files before it, by path.
        """
        notes = [f"warning: {text}" for text in record["warnings"] or ()]
        if record["status"] == "refused":
            notes.insert(0, f"{record['code']}: {record['message']}")
        if record["duplicate_of"] is not None:
            notes.append(f"the same pixels as {numbers[record['duplicate_of']]}")
        row = self._facts(number, record) if record["shape"] else f"{number:>{self._width}}  REFUSED  "
        return [
            f"{row}{record['id']}  {printable(record['path'])}",
            *(" " * (self._width + 2) + note for note in notes),
        ]

    def _facts(self, number: int, record: dict[str, Any]) -> str:
        return self._row(
            str(number),
            "read" if record["status"] == "read" else "REFUSED",
            " x ".join(map(str, record["shape"])),
            record["modality"] or record["kind"],
            record["photometric"] or "-",
            str(record["frames"]),
            record["region"] if record["region"] != "none" else "-",
            " x ".join(f"{value:.4g}" for value in record["spacing"] or ()) or "-",
            *(f"{record[key]:.4f}" for key in ("mean", "min", "max")),
            "+".join(name for name in ("voi", "inverted") if record[name]) or "-",
        )

    def _row(self, number: str, *cells: str) -> str:
        widths = (7, 16, 8, 15, 6, 9, 17, 6, 6, 6, 12)
        return "  ".join([f"{number:>{self._width}}", *(f"{c:<{w}}" for c, w in zip(cells, widths, strict=True)), ""])


class Summary:
    """Counts what was found.

    Args:
        total: number of files.
        passed: how many files and folders were passed over, by what they are.
    """

    def __init__(self, total: int, passed: Mapping[str, int] | None = None) -> None:
        self.numbers: dict[str, int] = {}
        self.refused = 0
        self._total = total
        self._passed = passed or {}
        self._kinds: Counter[str] = Counter()
        self._codes = GroupedSentences()
        self._warnings = GroupedSentences()

    def add(self, number: int, record: dict[str, Any]) -> None:
        """Count a file.

        Args:
            number: its running number.
            record: of :class:`~monai_anomaly.apps.inspection.inspector.Inspector`.
        """
        self.numbers[record["path"]] = number
        if record["status"] == "refused":
            self.refused += 1
            self._codes.add(str(number), f"{record['code']}: {record['message']}")
            return
        self._kinds[" ".join(filter(None, (record["kind"], record["modality"])))] += 1
        for text in record["warnings"]:
            self._warnings.add(str(number), text)

    def title(self, shown: int | None = None) -> str:
        """Return the counts in one line.

        Args:
            shown: how many of the files are shown; None where that is not the question.
        """
        done = len(self.numbers)
        files = f"{done} file{'s' * (done != 1)}" if done == self._total else f"{done} of {self._total} files"
        text = f"{files}: {done - self.refused} read, {self.refused} refused"
        return text if shown in (None, done) else f"{text} (the first {shown} are shown)"

    def lines(self, hashes: Sequence[str]) -> list[str]:
        """Return the whole summary.

        Args:
            hashes: of the pixels of the files, in their order; empty for one that was refused.
        """
        kinds = _shorten([f"{count:>7}  {name}" for name, count in self._kinds.most_common()])
        groups = [_equal(group) for group in find_duplicates(hashes)]
        page = [self.title()]
        for title, lines in (
            ("passed over", [f"{count:>7}  {what}" for what, count in self._passed.items() if count]),
            ("read", kinds),
            ("refused", _lines(self._codes)),
            ("warnings", _lines(self._warnings)),
            ("files with the same pixels", _shorten([f"         {group}" for group in groups])),
        ):
            page += ["", f"  {title}:", *lines] if lines else []
        return page


def _lines(said: GroupedSentences) -> list[str]:
    return _shorten([f"{count:>7}  {text} (first: {number})" for count, number, text in said.groups()])


def _equal(group: list[int]) -> str:
    """Return the running numbers of files that are equal."""
    more = len(group) - GROUPS_SHOWN
    text = " = ".join(str(index + 1) for index in group[:GROUPS_SHOWN])
    return f"{text} and {more} more" if more > 0 else text


def _shorten(lines: list[str]) -> list[str]:
    more = len(lines) - GROUPS_SHOWN
    return lines if more <= 0 else [*lines[:GROUPS_SHOWN], f"         and {more} more of this sort"]
