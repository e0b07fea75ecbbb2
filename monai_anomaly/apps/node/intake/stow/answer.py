# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What STOW-RS answers: for each object whether it was taken, as DICOM JSON (PS3.18 10.5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from monai_anomaly.apps.node.intake.identity import Identity

__all__ = ["REASONS", "Fate", "make_answer"]

REASONS = {
    "no_room": 0xA700,  # refused: out of resources
    "failed": 0x0110,  # processing failure
    "wrong_class": 0x0122,  # SOP class not supported
    "unsupported_transfer_syntax": 0xC122,  # referenced transfer syntax not supported
    "wrong_study": 0xA901,  # of the range A9xx: the data set does not match, here the study of the address
}
"""Of an object that was not taken, by the node's own words (PS3.18 table I.2-2)."""

NOT_UNDERSTOOD = 0xC000
"""Of all else."""


@dataclass(frozen=True)
class Fate:
    """What became of a part.

    Args:
        identity: what it says that it is; None where it could not be read.
        code: why it was not taken; None when it is in custody.
    """

    identity: Identity | None
    code: str | None = None


def make_answer(fates: Sequence[Fate]) -> tuple[int, Dataset]:
    """Return the status of HTTP and the body of the answer.

    The status is 200 when all were taken, 202 when some were, 503 when there was room for none, else 409.

    Args:
        fates: of all parts.
    """
    answer = Dataset()
    answer.RetrieveURL = None  # nothing is given back
    taken: list[Dataset] = []
    failed: list[Dataset] = []
    others: list[Dataset] = []
    for fate in fates:
        item = Dataset()
        if fate.identity is not None:
            item.ReferencedSOPClassUID = fate.identity.sop_class_uid
            item.ReferencedSOPInstanceUID = fate.identity.sop_instance_uid
        if fate.code is None:
            item.RetrieveURL = None
            taken.append(item)
            continue
        item.FailureReason = REASONS.get(fate.code, NOT_UNDERSTOOD)
        (others if fate.identity is None else failed).append(item)
    if taken:
        answer.ReferencedSOPSequence = taken
    if failed:
        answer.FailedSOPSequence = failed
    if others:
        answer.OtherFailuresSequence = others
    if len(taken) == len(fates):
        return 200, answer
    if taken:
        return 202, answer
    return 503 if all(fate.code == "no_room" for fate in fates) else 409, answer
