# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pictures of a data list once more, whole and as a viewer shows them, to lay maps over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from monai_anomaly.data.arrays.itk_place import read_itk_place
from monai_anomaly.data.arrays.nifti_place import ArrayPlace, read_place
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.image_reader import ClinicalImageReader
from monai_anomaly.scoring.map_encoders import place_by_spacing

__all__ = ["SourcePictures"]

KEPT_BYTES = 2**28
"""Of the pixels of pictures that were read to be scored and wait for their overlays: some hundred small ones."""


class SourcePictures:
    """Reads a picture that was scored again: the network has a small square of it only, its intensity changed.

    Args:
        items: the data list, with ``index`` and ``image``, the file's path.
        reader: what the pictures were scored through, ``Preprocessing.reader``.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]], reader: ClinicalImageReader) -> None:
        self._paths: dict[int, str | PathLike[str]] = {int(item["index"]): item["image"] for item in items}
        self._reader = reader

    def keep(self) -> None:
        """Keep pictures that are read to be scored from now on, the newest, so that they need not be read again."""
        self._reader.keep_pictures(KEPT_BYTES)

    def read(self, index: int, frame: int | None, source_shape: tuple[int, int]) -> DecodedImage:
        """Return the whole frame, with its own colors.

        Args:
            index: of the item.
            frame: from 0; None for the middle one.
            source_shape: rows and columns that it had when it was scored.

        Raises:
            ImageReadError: when the picture was not kept, and the file cannot be read any more, or has another size.
        """
        decoded = self._reader.read_again(self._paths[index], frame)
        if decoded.pixels.shape[1:] != tuple(source_shape):
            raise ImageReadError("inconsistent", "the file has changed since it was scored; score it again.")
        return decoded

    def place(self, index: int, decoded: DecodedImage) -> ArrayPlace:
        """Return where the picture lies: where a NIfTI, NRRD or MetaImage file says, else by its spacing alone.

        Args:
            index: of the item.
            decoded: what :meth:`read` returned.

        Raises:
            ImageReadError: when such a file's header places nothing.
        """
        if decoded.kind == "nifti":
            return read_place(self._paths[index], decoded.frame, self._reader.frames_axis)
        if decoded.kind in ("nrrd", "metaimage"):
            return read_itk_place(self._paths[index], decoded.kind, decoded.frame, self._reader.frames_axis)
        return place_by_spacing(decoded.spacing)
