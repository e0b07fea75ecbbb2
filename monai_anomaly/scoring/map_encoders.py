# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An anomaly map at the size of its source picture, as a file for viewers and programs."""

from __future__ import annotations

import io
from collections.abc import Sequence

import nibabel as nib
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from monai_anomaly.data.arrays.nifti_place import ArrayPlace
from monai_anomaly.utils.heatmap import PALETTE, row_blocks

__all__ = ["encode_nifti_map", "encode_npz_map", "encode_png_map", "map_to_indices", "place_by_spacing"]

_OUTSIDE = 0
_LOWEST, _HIGHEST = 1, 255
"""Indices of a PNG: what the method did not see, and the two ends of the scale."""

_MILLIMETERS = 2
_MOST_BY_NIFTI_1 = 2**15 - 1
"""Code of the unit; the longest axis that the first version of the format can say."""


def encode_png_map(source_map: npt.NDArray[np.float32], map_range: tuple[float, float]) -> bytes:
    """Return a palette PNG: index 0, transparent, where the map is NaN; 1 to 255 from the low to the high end.

    A viewer shows the colors of all our heat maps and nothing outside the box; a program gets the map back as
    ``low + (index - 1) * (high - low) / 254``. The scale stands in the file, as the text chunk ``map_range``.

    Args:
        source_map: ``(rows, columns)``, as :func:`monai_anomaly.transforms.source_map.map_on_source` gives it.
        map_range: map values of the first and the last color, the same for all images; values outside are clipped.
    """
    indices = np.empty(source_map.shape, dtype=np.uint8)
    for part in row_blocks(source_map.shape):
        indices[part] = map_to_indices(source_map[part], map_range)
    colors = PALETTE[np.linspace(0, 255, _HIGHEST).round().astype(int)]
    picture = Image.fromarray(indices)
    picture.putpalette(bytes(3) + colors.tobytes())
    text = PngInfo()
    text.add_text("map_range", f"{map_range[0]:g} {map_range[1]:g}")
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1, pnginfo=text, transparency=_OUTSIDE)
    return stream.getvalue()


def map_to_indices(source_map: npt.NDArray[np.float32], map_range: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return what :func:`encode_png_map` stores: 0 where the map is NaN, 1 to 255 from the low to the high end."""
    low, high = map_range
    seen = np.isfinite(source_map)
    steps = (np.where(seen, source_map, np.float32(low)) - low) * ((_HIGHEST - _LOWEST) / (high - low)) + _LOWEST
    return np.where(seen, np.clip(steps + 0.5, _LOWEST, _HIGHEST), _OUTSIDE).astype(np.uint8)


def encode_npz_map(
    source_map: npt.NDArray[np.float32],
    anomaly_map: npt.NDArray[np.float32],
    *,
    map_range: tuple[float, float],
    box: Sequence[int],
) -> bytes:
    """Return an archive for ``numpy.load``, without pickle: all numbers as they are.

    It holds ``map``, float32 ``(rows, columns)``, NaN outside the box; ``network_map``, float32 ``(H, W)``, what the
    network gave, whose mean is the score; ``source_shape``, ``box`` ``(x0, y0, x1, y1)`` and ``map_range``. It is not
    compressed: that saves a seventh and takes ten times as long.
    """
    stream = io.BytesIO()
    np.savez(
        stream,
        map=source_map,
        network_map=anomaly_map,
        source_shape=np.array(source_map.shape, dtype=np.int64),
        box=np.array(box, dtype=np.int64),
        map_range=np.array(map_range, dtype=np.float64),
    )
    return stream.getvalue()


def encode_nifti_map(source_map: npt.NDArray[np.float32], map_range: tuple[float, float], place: ArrayPlace) -> bytes:
    """Return a NIfTI file, float32, NaN outside the box, with ``map_range`` as its display range.

    Its first stored axis runs along the columns and the second along the rows, as our reader takes a picture.

    Args:
        source_map: ``(rows, columns)``.
        map_range: map values of the first and the last color.
        place: where the picture lies: that of a NIfTI source, else :func:`place_by_spacing`.
    """
    kind = nib.Nifti1Image if max(source_map.shape) <= _MOST_BY_NIFTI_1 else nib.Nifti2Image
    image = kind(source_map.T[..., None], place.affine, dtype=np.float32)
    image.header["xyzt_units"] = place.unit
    image.header["cal_min"], image.header["cal_max"] = map_range
    image.header["descrip"] = b"anomaly map"
    data: bytes = image.to_bytes()
    return data


def place_by_spacing(spacing: Sequence[float] | None) -> ArrayPlace:
    """Return the place of a picture that has none in the patient: columns run to the left, rows to the back.

    Viewers show a PNG or a single DICOM frame so, and the map over it.

    Args:
        spacing: ``(row, column)`` in mm per pixel; None for pixels of unknown size, which count as 1 with no unit.
    """
    row, column = spacing or (1.0, 1.0)
    return ArrayPlace(np.diag([-column, -row, 1.0, 1.0]), _MILLIMETERS if spacing else 0)
