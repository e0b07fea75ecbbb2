# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Images that no member of a consensus was trained on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from monai_anomaly.bundle.consensus.members import Members
from monai_anomaly.data.errors import DataListError, ImageReadError
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.lists.left_out import ItemList
from monai_anomaly.data.sets.duplicates import fingerprint, pixel_hash

__all__ = ["unseen"]

logger = logging.getLogger(__name__)


def unseen(items: Sequence[Mapping[str, Any]], members: Members, what: str, patients: int = 0) -> ItemList:
    """Return the items without the patients of whom a member was trained on images.

    A member knows its training images, the pool's too, as it saw them, so that each file is read once for each
    preprocessing. One that cannot be read stays: who trains says what becomes of it.

    Args:
        items: of a data list.
        members: whose fingerprints are compared.
        what: what messages call the items, in the plural.
        patients: least number of patients that must be left.

    Raises:
        DataListError: for fewer patients.
    """
    trained_on = {str(item.get("group", item["name"])) for item in items if _is_known(item, members)}
    kept = [dict(item) for item in items if str(item.get("group", item["name"])) not in trained_on]
    if len(kept) < len(items):
        logger.warning(
            "%d of %d %s are of %d patients of whom a member was trained on images, which it scores lower than others; "
            "they are left out.",
            *(len(items) - len(kept), len(items), what, len(trained_on)),
        )
    left = len({str(item.get("group", item["name"])) for item in kept})
    if left < patients:
        raise DataListError(
            f"the {what} that no member was trained on are of {left} patients, and {patients} are needed at least; add "
            "some to their section."
        )
    return ItemList(kept, getattr(items, "left_out", {}))


def _is_known(item: Mapping[str, Any], members: Members) -> bool:
    """Whether a member was trained on an image of a file."""
    hashes: dict[str, list[int]] = {}
    for member in members.trained:
        if member.fingerprints is None:
            continue
        key = json.dumps(member.spec["preprocessing"], sort_keys=True)
        if key not in hashes:
            hashes[key] = _fingerprints(item, member.preprocessing, members.data["frames"])
        if bool(torch.isin(member.fingerprints, torch.tensor(hashes[key], dtype=torch.int64)).any()):
            return True
    return False


def _fingerprints(item: Mapping[str, Any], preprocessing: Any, frames: str) -> list[int]:
    try:
        each = [preprocessing(frame) for frame in expand_frames([dict(item)], frames, preprocessing.count_frames)]
    except ImageReadError:
        return []
    return [fingerprint(pixel_hash(frame["image"].numpy())) for frame in each]
