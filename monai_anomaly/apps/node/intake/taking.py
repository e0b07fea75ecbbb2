# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every way in needs of who takes custody, and how it says no."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

__all__ = ["NoRoomError", "NotTakenError", "Refusals", "Taker"]


class NoRoomError(RuntimeError):
    """The spool or the queue is full: the sender keeps its object and tries again later."""


class NotTakenError(ValueError):
    """An object that is never taken in as it is.

    Args:
        code: why, a word of the node's own, without anything of the object.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"The object is not taken in: {code}.")
        self.code = code


class Taker(Protocol):
    """Takes custody: when it returns, the object survives a loss of power. Called by many threads at once."""

    def __call__(self, path: Path, origin: str, sop_instance_uid: str | None) -> None:
        """Take a Part 10 file.

        Args:
            path: a temporary file in the spool's file system; it may be moved away.
            origin: "dimse:TITLE", "folder" or "stow:NAME".
            sop_instance_uid: what the sender says that it is; None if the sender says nothing.

        Raises:
            NoRoomError: not now.
            NotTakenError: never.
        """


class Refusals(Protocol):
    """Counts what was refused at the door; must be quick and bounded, because a hostile sender calls it."""

    def __call__(self, origin: str, code: str) -> None:
        """Count one.

        Args:
            origin: "dimse", "folder" or "stow".
            code: a word of the node's own.
        """
