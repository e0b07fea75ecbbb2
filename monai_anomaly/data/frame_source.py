# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every decoder is, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from monai_anomaly.data.pixel_values import unit

__all__ = ["DecodedImage", "FrameSource", "cut_out"]


@dataclass
class DecodedImage:
    """One frame as a viewer shows it, before the crop and the choice of channels.

    Args:
        values: ``(C, H, W)``, C 1 or 3, rows = H, columns = W: float32 in [0, 1], or uint8 from 0 to 255 where the file
            has those, which are less to look at and to send; not to be written to.
        kind: ``"dicom"``, ``"raster"``, ``"nifti"``, ``"nrrd"`` or ``"metaimage"``; ``"array"`` for an array in memory.
        modality: DICOM modality, ``"other"`` for one not in the standard's list, empty for files without one.
        reduced_from: rows and columns of the whole frame, where ``values`` has fewer, as it may have of a large JPEG
            when that was asked for; None where it is whole.
        file_format: the format's name, of DICOM with that of the transfer syntax; empty where ``kind`` says it.
        photometric: photometric interpretation (DICOM) or the pixel mode of Pillow (PNG,
            JPEG, BMP) or of TIFF, as stored.
        frames: number of frames in the file.
        frame: the frame that was read, from 0.
        orientation: how a picture file says that it was stored, 1 (upright) to 8; ``values`` were turned upright.
        box: ``(x0, y0, x1, y1)``, half open: the ultrasound region when it is trusted, else None.
        region: ``"none"``, ``"trusted"`` or ``"untrusted"``.
        spacing: ``(row, column)`` in mm per pixel, or None where the file gives none that can be trusted.
        spacing_origin: where ``spacing`` comes from.
        voi: whether the file's own window or VOI LUT was applied.
        inverted: whether the stored values were inverted for display.
        masked: share of the pixels that are no picture (padding, shutter, collimator) and were set to 0.
        year: in which a DICOM header says that it was made, 0 where none does.
        identifiers: names and keyed hashes of the header's identifiers; see :mod:`monai_anomaly.utils.identity`.
        warnings: every fallback taken, one sentence each, free of header values.
    """

    values: np.ndarray
    kind: str
    reduced_from: tuple[int, int] | None = None
    file_format: str = ""
    modality: str = ""
    photometric: str = ""
    frames: int = 1
    frame: int = 0
    orientation: int = 1
    box: tuple[int, int, int, int] | None = None
    region: str = "none"
    spacing: tuple[float, float] | None = None
    spacing_origin: str = ""
    voi: bool = False
    inverted: bool = False
    masked: float = 0.0
    year: int = 0
    identifiers: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the whole frame."""
        return self.reduced_from or (self.values.shape[1], self.values.shape[2])

    @property
    def pixels(self) -> np.ndarray:
        """The frame as float32 ``(C, H, W)`` in [0, 1]; computed anew each time where ``values`` are whole numbers."""
        return unit(self.values)


def cut_out(image: DecodedImage, box: Sequence[int]) -> np.ndarray:
    """Return the values within a box, a view; all of them for a frame that was reduced, as no such one has a box.

    Args:
        image: the frame.
        box: ``(x0, y0, x1, y1)``, half open, in pixels of the whole frame.
    """
    if image.reduced_from is not None:
        return image.values
    x0, y0, x1, y1 = box
    return image.values[:, y0:y1, x0:x1]


class FrameSource(Protocol):
    """An open file whose header passed every check; frames are decoded singly, in any order."""

    @property
    def frames(self) -> int:
        """Number of frames in the file."""

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame.

        Args:
            index: from 0, below ``frames``.

        Raises:
            ImageReadError: whatever is wrong with this frame.
        """
