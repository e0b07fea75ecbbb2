# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which pages of a TIFF are frames: thumbnails, pyramid levels, masks and labels are none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.rasters.tiff.directory import SUB_DIRECTORIES, Directory

__all__ = ["choose_frames"]

PAGE_BIT = 2
"""The only bit of NewSubfileType that a frame may have: one page of several."""

FULL, PAGE = 1, 3
TRANSPARENCY_MASK = 4
MOST_SAMPLES = 64
MOST_TEXT = 2**24
IMAGEJ_COUNT = re.compile(rb"^(images|channels)=(\d{1,9})\s*$", re.MULTILINE)
OME_CHANNELS = re.compile(rb'\bSizeC="(\d{1,9})"')
START_OF_TEXT = 2**16


def choose_frames(directories: Sequence[Directory]) -> tuple[list[Directory], list[str]]:
    """Return the directories that are frames, and what has to be said of the others.

    Frames are marked neither as a smaller version nor as a mask, and have the size, the colors and the numbers of the
    first one of the largest.

    Args:
        directories: of the file, at least one.

    Raises:
        ImageReadError: ``unsupported`` where none is a frame or pages are colors; ``frame_count``; ``inconsistent`` or
            ``truncated`` for tags that make no sense.
    """
    notes: list[str] = []
    plain = [directory for directory in directories if _is_picture(directory)]
    if not plain and len(directories) == 1 and SUB_DIRECTORIES not in directories[0]:
        plain = list(directories)
        notes.append("the only picture of the TIFF is marked as a thumbnail, a mask or a label")
    if not plain:
        raise ImageReadError(
            "unsupported",
            "the TIFF holds thumbnails and masks only, as raw camera files do beside what is not read; export the "
            "picture itself.",
        )
    looks = [_look(directory) for directory in plain]
    largest = max(looks, key=lambda look: look[0][0] * look[0][1])  # the first one of them
    frames = [directory for directory, look in zip(plain, looks, strict=True) if look == largest]
    left_out = len(directories) - len(frames) + sum(directory.count(SUB_DIRECTORIES) for directory in frames)
    if left_out:
        notes.append(
            f"{left_out} further picture{'s' * (left_out > 1)} of the TIFF (thumbnail, pyramid level, mask, label, or "
            f"of another size or kind) {'were' if left_out > 1 else 'was'} left out"
        )
    _check_description(frames)
    return frames, notes


def _is_picture(directory: Directory) -> bool:
    """Whether nothing marks the page as a smaller version of another one, a mask or anything else."""
    new, old = directory.number(254, 0), directory.number(255, FULL)
    return new & ~PAGE_BIT == 0 and old in (FULL, PAGE) and directory.number(262, -1) != TRANSPARENCY_MASK


def _look(directory: Directory) -> tuple[tuple[int, ...], ...]:
    """Return what the frames of a file have in common."""
    return (
        (directory.number(257), directory.number(256)),
        (directory.number(277, 1), directory.number(262)),
        directory.numbers(258, MOST_SAMPLES),
        directory.numbers(339, MOST_SAMPLES),
    )


def _check_description(frames: Sequence[Directory]) -> None:
    """Refuse pages that are the colors of one picture, and frames without a page, as ImageJ and OME write them."""
    text = frames[0].content(270, MOST_TEXT)[:START_OF_TEXT]
    channels = images = 1
    if text.startswith(b"ImageJ="):
        counts = {name: int(count) for name, count in IMAGEJ_COUNT.findall(text)}
        channels, images = counts.get(b"channels", 1), counts.get(b"images", 1)
    elif b"<OME" in text:
        channels = max(map(int, OME_CHANNELS.findall(text)), default=1)
    if channels > 1 and frames[0].number(277, 1) == 1:
        raise ImageReadError(
            "unsupported", "the pages of the TIFF are the channels of one picture, not frames; save it as RGB or gray."
        )
    if images > len(frames):
        raise ImageReadError(
            "frame_count",
            f"ImageJ says that the TIFF holds {images} pictures, but it has {len(frames)} pages for "
            "them; save it again.",
        )
