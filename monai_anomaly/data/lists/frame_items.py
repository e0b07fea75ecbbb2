# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From files to frames: the items of a data list, one for each frame that a rule takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_rule import check_frame_rule, select_frames

__all__ = ["FRAMES_OF_STUDY", "expand_frames"]

FRAMES_OF_STUDY = "study_frames"
"""Key of an expanded item: how many consecutive items are frames of its file. An item without it is the only one."""


def expand_frames(
    data: Sequence[Mapping[str, Any]], rule: str, count_frames: Callable[[str | PathLike[str]], int]
) -> list[dict[str, Any]]:
    """Repeat each item for each frame that is taken from its file, in order.

    An item with ``frame`` stands for that frame. One with ``frames`` follows its own rule in place of the common one.
    Only headers are read, and none for ``"middle"``, which the reader itself follows where no frame is named. An item
    whose header cannot be read stays as it is, once, so that reading it reports the error.

    Args:
        data: items of a data list with ``image`` (path).
        rule: ``"middle"``, ``"all"``, ``"every:N"`` or ``"spaced:N"``; see
            :func:`~monai_anomaly.data.frame_rule.check_frame_rule`.
        count_frames: gives the number of frames of a file, e.g.
            :meth:`monai_anomaly.transforms.preprocessing.Preprocessing.count_frames`.

    Returns:
        Items with ``frame`` (where known) and ``study_frames``, without ``frames``; ``index`` stays that of the file.

    Raises:
        ValueError: for an unknown rule.
    """
    check_frame_rule(rule)
    expanded: list[dict[str, Any]] = []
    for item in data:
        kept = {key: value for key, value in item.items() if key != "frames"}
        frames = _frames(item, rule, count_frames)
        expanded += [{**kept, **({} if frame is None else {"frame": frame})} | _size(frames) for frame in frames]
    return expanded


def _frames(
    item: Mapping[str, Any], rule: str, count_frames: Callable[[str | PathLike[str]], int]
) -> list[int] | list[None]:
    """Return the frames to take; ``[None]`` leaves the choice, or the error, to the reader."""
    rule = item.get("frames") or rule
    if item.get("frame") is not None or rule == "middle":
        return [None]
    try:
        count = count_frames(item["image"])
    except ImageReadError:
        return [None]
    return select_frames(rule, count) if count > 1 else [None]


def _size(frames: Sequence[Any]) -> dict[str, int]:
    return {FRAMES_OF_STUDY: len(frames)}
