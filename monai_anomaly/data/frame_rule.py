# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which frames of a cine are read."""

from __future__ import annotations

import re

from monai_anomaly.data.errors import ImageReadError

__all__ = ["check_frame_rule", "choose_frame", "select_frames"]

COUNTED = re.compile(r"(every|spaced):([1-9]\d{0,5})")


def check_frame_rule(rule: str) -> str:
    """Return a frame rule unchanged.

    Args:
        rule: ``"middle"``; ``"all"``; ``"every:N"``, each N-th frame from the first on; ``"spaced:N"``, N frames spread
            evenly over the cine (all, where it has fewer).

    Raises:
        ValueError: for any other text.
    """
    if not isinstance(rule, str) or not (rule in ("middle", "all") or COUNTED.fullmatch(rule)):
        raise ValueError(f'frames must be "middle", "all", "every:N" or "spaced:N" with N >= 1, got {rule!r}.')
    return rule


def select_frames(rule: str, count: int) -> list[int]:
    """Return the indices, rising from 0, that a rule takes from a file with ``count`` frames; never empty.

    Args:
        rule: as in :func:`check_frame_rule`.
        count: frames of the file, at least 1.

    Raises:
        ValueError: for an unknown rule.
    """
    check_frame_rule(rule)
    if rule == "middle":
        return [count // 2]
    if rule == "all":
        return list(range(count))
    kind, number = rule.split(":")
    if kind == "every":
        return list(range(0, count, int(number)))
    taken = min(int(number), count)
    return [(2 * i + 1) * count // (2 * taken) for i in range(taken)]  # the middles of equal parts


def choose_frame(frame: int | None, frames: int) -> int:
    """Return the index of the one frame to read: the one asked for, or the middle one.

    Args:
        frame: index from 0, or None for the middle frame.
        frames: number of frames in the file.

    Raises:
        ImageReadError: ``frame_count`` when the file has no such frame.
    """
    if frame is None:
        return select_frames("middle", frames)[0]
    if not 0 <= frame < frames:
        raise ImageReadError("frame_count", f"frame {frame} was asked for, but the file has {frames} (0 is the first).")
    return frame
