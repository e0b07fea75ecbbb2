# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is asked of a decoder, in this process or in another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from monai_anomaly.data.decoding.open_file import ReadRules, open_file, open_mask
from monai_anomaly.data.frame_rule import choose_frame
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.rasters.lesion_mask import read_mask
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["COUNT", "FRAME", "MASK", "Job", "do_job"]

FRAME, COUNT, MASK = "frame", "count", "mask"


@dataclass(frozen=True)
class Job:
    """One question about one file.

    Args:
        task: ``"frame"`` (one decoded frame), ``"count"`` (number of frames) or ``"mask"`` (a lesion mask).
        path: the file.
        rules: how it is read.
        kind: what it is, as :func:`.tell_kind` says.
        key: the site's key, for DICOM.
        frame: index of the frame, None for the middle one; of a mask, that of its image.
        frames: of a mask, how many frames its image has.
    """

    task: str
    path: str
    rules: ReadRules
    kind: str
    key: bytes = b""
    frame: int | None = None
    frames: int = 1

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON has it; :meth:`from_plain` makes it again."""
        rules = {**vars(self.rules), "limits": vars(self.rules.limits)}
        return {**vars(self), "rules": rules, "key": self.key.hex()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Job:
        """Return what :meth:`to_plain` was called of."""
        rules = dict(plain["rules"])
        if rules["value_range"] is not None:
            rules["value_range"] = tuple(rules["value_range"])
        rules["limits"] = ReadLimits(**rules["limits"])
        return cls(**{**plain, "rules": ReadRules(**rules), "key": bytes.fromhex(plain["key"])})


def do_job(job: Job) -> DecodedImage | np.ndarray | int:
    """Return the answer.

    Raises:
        ImageReadError: whatever is wrong with the file.
    """
    if job.task == MASK:
        with open_mask(job.path, job.kind, job.rules) as mask:
            return read_mask(mask, job.frame or 0, job.frames)
    with open_file(job.path, job.kind, job.rules, job.key) as source:
        if job.task == COUNT:
            return source.frames
        return source.decode(choose_frame(job.frame, source.frames))
