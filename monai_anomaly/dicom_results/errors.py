# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Why there are no DICOM objects of a result."""

from __future__ import annotations

__all__ = ["DicomResultError"]


class DicomResultError(ValueError):
    """A result that no DICOM object can be made of; the text names what is missing, and no value of a header.

    Args:
        code: short machine-readable reason: ``"no_score"``, ``"not_dicom"``, ``"missing_uid"``, ``"charset"``,
            ``"too_long"`` or ``"changed"``.
        message: one sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)  # both in args: survives pickling between processes
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
