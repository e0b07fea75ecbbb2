# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is wrong at which place of a bundle."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding", "shown"]


@dataclass(frozen=True)
class Finding:
    """One reason not to run a bundle.

    Args:
        file: its path in the bundle, harmless to print.
        place: where in it, such as a key or a section; empty for the whole file.
        problem: a sentence without its first word and full stop, such as ``it runs 'os.system'``.
    """

    file: str
    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}{f' [{self.place}]' if self.place else ''}: {self.problem}"


def shown(text: object, limit: int = 120) -> str:
    """Return a stranger's text so that a terminal shows it and does nothing else."""
    short = str(text)
    short = short if len(short) <= limit else f"{short[:limit]}..."
    return ascii(short)[1:-1].replace("\\'", "'").replace("\\\\", "\\")
