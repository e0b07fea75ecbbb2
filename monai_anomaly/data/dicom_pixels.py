# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""DICOM pixels as a viewer shows them, in [0, 1].

pydicom never inverts MONOCHROME1 for radiographs, knows no padding and no nominal range; those three rules are here.
The order is that of PS3.3: padding mask, modality LUT, VOI, scaling by the nominal range, inversion last and once.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from monai_anomaly.data.decoded import DecodedImage, ReadLimits, boundary, check_finite, scale
from monai_anomaly.data.dicom_fragments import check_pixel_data
from monai_anomaly.data.dicom_header import DicomHeader, element, numbers, quiet_pydicom, read_header
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.us_regions import find_region

__all__ = ["DicomSource"]

MODALITIES = frozenset("US IVUS CR DX MG RG XA RF CT MR NM PT OT SC ES OP OPT XC GM SM IO PX ECG BMD".split())


class DicomSource:
    """The frames of an open DICOM file.

    Args:
        stream: the open file; stays open as long as frames are decoded.
        limits: checked before anything is inflated.
        voi: apply the file's window or VOI LUT, where it has one.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    def __init__(self, stream: BinaryIO, limits: ReadLimits, *, voi: bool = True) -> None:
        self._stream = stream
        self._voi = voi
        with quiet_pydicom():
            self._header = read_header(stream, limits)
            self._start = stream.tell()
            self._region = find_region(self._header.dataset, rows=self._header.rows, columns=self._header.columns)

    @property
    def frames(self) -> int:
        """Number of frames in the file."""
        return self._header.frames

    def decode(self, index: int) -> DecodedImage:
        """Decodes one frame; see :class:`~monai_anomaly.data.decoded.FrameSource`."""
        with quiet_pydicom():
            return self._decode(index)

    def _decode(self, index: int) -> DecodedImage:
        stream, header = self._stream, self._header
        dataset, notes = header.dataset, header.warnings
        stream.seek(self._start)
        notes += check_pixel_data(stream, header, index)
        with boundary("decoding the pixels"):
            stream.seek(0)
            stored = pixel_array(stream, index=index, decoding_plugin=header.decoder)
        shape = (header.rows, header.columns) if header.samples == 1 else (header.rows, header.columns, 3)
        if stored.shape != shape:
            raise ImageReadError("inconsistent", f"decoding gave {stored.shape} instead of {shape}; export it again.")
        with boundary("turning stored values into pixels"):
            applied = inverted = False
            if header.photometric == "PALETTE COLOR":
                if not header.syntax.is_little_endian:
                    _swap_palette(dataset)
                colors = apply_color_lut(stored, dataset)[..., :3]
                pixels = scale(colors.transpose(2, 0, 1), 0, np.iinfo(colors.dtype).max)
            elif header.samples == 3:
                pixels = scale(stored.transpose(2, 0, 1), 0, 2**header.bits - 1)
            else:
                gray, applied, inverted = _render_gray(stored, header, voi=self._voi)
                pixels = gray[None]
        check_finite(pixels)
        region = self._region
        spacing, origin = (region.spacing, "us_region") if region.spacing else _spacing(dataset)
        modality = str(dataset.get("Modality", ""))
        return DecodedImage(
            pixels=pixels,
            kind="dicom",
            modality=modality if modality in MODALITIES else "other",
            photometric=header.photometric,
            frames=header.frames,
            frame=index,
            box=region.box,
            region=region.state,
            spacing=spacing,
            spacing_origin=origin if spacing else "",
            voi=applied,
            inverted=inverted,
            warnings=[*notes, *region.warnings],
        )


def _swap_palette(dataset: Dataset) -> None:
    """Turns the words of a big-endian file's palette around; pydicom takes them for little-endian."""
    for color in ("Red", "Green", "Blue"):
        keyword = f"{color}PaletteColorLookupTableData"
        if keyword in dataset:
            setattr(dataset, keyword, np.frombuffer(dataset[keyword].value, np.uint16).byteswap().tobytes())


def _render_gray(stored: np.ndarray, header: DicomHeader, *, voi: bool) -> tuple[np.ndarray, bool, bool]:
    """Returns gray float32 ``(H, W)`` in [0, 1], whether VOI was applied and whether the values were inverted."""
    dataset = header.dataset
    padding = _padding(stored, dataset)
    gray = _apply_voi(stored, header) if voi else None
    applied = gray is not None
    if gray is None:
        gray = _scale_nominal(stored, header)
    inverted = _is_inverted(dataset)
    if inverted:
        np.subtract(np.float32(1), gray, out=gray)
    if padding is not None:
        gray[padding] = 0.0
    return gray, applied, inverted


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Returns where there is no anatomy: from Pixel Padding Value (0028,0120) to its Range Limit (0028,0121)."""
    value = numbers(dataset, "PixelPaddingValue")
    if not value:
        return None
    limit = numbers(dataset, "PixelPaddingRangeLimit") or value
    mask = (stored >= min(value[0], limit[0])) & (stored <= max(value[0], limit[0]))
    return mask if mask.any() else None


def _apply_voi(stored: np.ndarray, header: DicomHeader) -> np.ndarray | None:
    """Returns the windowed image, or None when the file has no VOI, or (with a warning) an unusable one."""
    dataset = header.dataset
    table = bool(dataset.get("VOILUTSequence"))
    if not table and not (numbers(dataset, "WindowCenter") and numbers(dataset, "WindowWidth")):
        return None
    values = apply_modality_lut(stored, dataset)
    try:
        values = apply_voi_lut(values, dataset, prefer_lut=True)
        low, high = (0.0, _table_maximum(dataset.VOILUTSequence[0])) if table else _window_range(header)
    except Exception:  # a display choice that is malformed: the stored values are still sound
        header.warnings.append(f"the window or {element('VOILUTSequence')} cannot be applied; the full range was used")
        return None
    return scale(values, low, high)


def _window_range(header: DicomHeader) -> tuple[float, float]:
    """Returns what pydicom's windowing maps black and white to: the nominal range after the modality LUT."""
    dataset = header.dataset
    if dataset.get("ModalityLUTSequence"):
        low, high = 0.0, _table_maximum(dataset.ModalityLUTSequence[0])
    else:
        low, high = _stored_range(header)
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if slope and intercept:
        return low * slope[0] + intercept[0], high * slope[0] + intercept[0]
    return low, high


def _scale_nominal(stored: np.ndarray, header: DicomHeader) -> np.ndarray:
    """Scales without VOI: by the modality LUT's depth, or by the bits stored, reversed by a negative slope."""
    dataset = header.dataset
    if dataset.get("ModalityLUTSequence"):
        return scale(apply_modality_lut(stored, dataset), 0.0, _table_maximum(dataset.ModalityLUTSequence[0]))
    low, high = _stored_range(header)
    slope = numbers(dataset, "RescaleSlope")
    return scale(stored, high, low) if slope and slope[0] < 0 else scale(stored, low, high)


def _stored_range(header: DicomHeader) -> tuple[float, float]:
    if header.signed:
        return -(2.0 ** (header.bits - 1)), 2.0 ** (header.bits - 1) - 1
    return 0.0, 2.0**header.bits - 1


def _table_maximum(item: Dataset) -> float:
    return 2.0 ** int(item.LUTDescriptor[2]) - 1


def _is_inverted(dataset: Dataset) -> bool:
    """Returns whether white is stored as 0; Presentation LUT Shape (2050,0020) outranks MONOCHROME1."""
    shape = str(dataset.get("PresentationLUTShape") or "").strip()
    return shape == "INVERSE" if shape else str(dataset.PhotometricInterpretation).strip() == "MONOCHROME1"


def _spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, str]:
    """Returns ``(row, column)`` mm per pixel and its origin; a size of 0 counts as absent."""
    for keyword, origin in (("PixelSpacing", "pixel_spacing"), ("ImagerPixelSpacing", "imager_pixel_spacing")):
        values = numbers(dataset, keyword)
        if len(values) == 2 and min(values) > 0:
            return (values[0], values[1]), origin
    return None, ""
