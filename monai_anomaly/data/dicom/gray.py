# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From stored gray values to what a viewer shows, in [0, 1].

pydicom never inverts MONOCHROME1 for radiographs, knows no padding and no nominal range; those rules are here. The
order is that of PS3.3: padding mask, modality LUT, VOI, scaling by the nominal range, inversion last and once.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale, apply_windowing

from monai_anomaly.data.dicom.elements import element, numbers, single, word
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.dicom.lut import LookupTable, read_table
from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.pixel_values import check_finite, scale

__all__ = ["GrayRules"]


LOSSY_PADDING = (
    f"{element('PixelPaddingValue')} was not masked: lossy compression changed the values, so that some of the padding "
    "and some of the picture have it"
)


class GrayRules:
    """The rules of one header; each pixel depends on its own stored value only, so they are worked out once.

    Args:
        dataset: what holds for the frame.
        header: the checked header.
        voi: apply the file's window or VOI LUT, where it has one.
        masks: set padding to 0.
        lossy: whether stored values may differ from those before a compression.

    Raises:
        ImageReadError: ``inconsistent`` or ``non_finite``.

    Attributes:
        voi: whether a window or VOI LUT was applied.
        inverted: whether white is stored as the smallest value.
        warnings: every fallback taken.
    """

    def __init__(self, dataset: Dataset, header: DicomHeader, *, voi: bool, masks: bool, lossy: bool) -> None:
        self.warnings: list[str] = []
        self._dataset = dataset
        self._range = _stored_range(header)
        self._dtype = header.dtype
        self._modality = None
        if dataset.get("ModalityLUTSequence"):
            self._modality = read_table(dataset, "ModalityLUTSequence", *self._range)
        self._rescale = self._find_rescale()
        self._table = self._find_voi_table() if voi else None
        self.voi = self._table is not None or (voi and self._has_window())
        self.inverted = self._is_inverted()
        self._padding = _find_padding(dataset, self._dtype) if masks else None
        if lossy and self._padding is not None:
            self._padding = None
            self.warnings.append(LOSSY_PADDING)
        self._every: tuple[np.ndarray, np.ndarray | None] | None = None
        if self._dtype.itemsize <= 2:
            unsigned = np.arange(256**self._dtype.itemsize, dtype=f"u{self._dtype.itemsize}")
            self._every = self._render(unsigned.view(self._dtype))

    def apply(self, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return gray float32 ``(H, W)`` in [0, 1], and where there is padding, if anywhere.

        Args:
            stored: ``(H, W)``.
        """
        stored = stored.astype(self._dtype, copy=False)
        if self._every is None:
            return self._render(stored)
        gray, padding = self._every
        index = stored.view(f"u{self._dtype.itemsize}")
        return gray[index], None if padding is None else padding[index]

    def _render(self, stored: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the rules in their order, for values of any shape."""
        padding = None
        if self._padding is not None:
            padding = (stored >= self._padding[0]) & (stored <= self._padding[1])
        gray = self._window(stored) if self.voi else self._scale(stored)
        check_finite(gray)
        if self.inverted:
            np.subtract(np.float32(1), gray, out=gray)
        if padding is not None:
            gray[padding] = 0.0
        return gray, padding

    def _window(self, stored: np.ndarray) -> np.ndarray:
        """Return the VOI transformation of modality values."""
        values = stored
        if self._modality is not None:
            values = self._modality(stored)
        elif self._rescale:
            values = apply_rescale(stored, self._dataset)
        if self._table is not None:
            return scale(self._table(values), 0.0, self._table.maximum)
        return scale(apply_windowing(values, self._dataset), *self._window_range())

    def _scale(self, stored: np.ndarray) -> np.ndarray:
        """Without VOI: by the modality LUT's depth, or by the bits stored, reversed by a negative slope."""
        if self._modality is not None:
            return scale(self._modality(stored), 0.0, self._modality.maximum)
        low, high = self._range
        reverse = self._rescale is not None and self._rescale[0] < 0
        return scale(stored, high, low) if reverse else scale(stored, low, high)

    def _window_range(self) -> tuple[float, float]:
        """Return what pydicom's windowing maps black and white to: the nominal range after the modality LUT."""
        low, high = self._range if self._modality is None else (0.0, self._modality.maximum)
        slope, intercept = self._rescale or (1.0, 0.0)
        return low * slope + intercept, high * slope + intercept

    def _find_rescale(self) -> tuple[float, float] | None:
        slope, intercept = single(self._dataset, "RescaleSlope"), single(self._dataset, "RescaleIntercept")
        if slope is not None and intercept is not None:
            return slope, intercept
        if slope is not None or intercept is not None:
            self.warnings.append(
                f"{element('RescaleSlope')} and {element('RescaleIntercept')} come together; one alone was not applied"
            )
        return None

    def _is_inverted(self) -> bool:
        """Whether white is stored as 0; Presentation LUT Shape (2050,0020) outranks MONOCHROME1."""
        shape = word(self._dataset, "PresentationLUTShape")
        by_photometric = word(self._dataset, "PhotometricInterpretation") == "MONOCHROME1"
        if shape not in ("IDENTITY", "INVERSE"):
            if shape:
                self.warnings.append(f"{element('PresentationLUTShape')} is unknown and was not applied")
            return by_photometric
        if (shape == "INVERSE") != by_photometric:
            self.warnings.append(
                f"{element('PresentationLUTShape')} and {element('PhotometricInterpretation')} contradict each other "
                "about black and white; the former was used"
            )
        return shape == "INVERSE"

    def _find_voi_table(self) -> LookupTable | None:
        """Return the VOI LUT, which outranks a window; a malformed one is left out: the stored values are sound."""
        if not self._dataset.get("VOILUTSequence"):
            return None
        try:
            return read_table(self._dataset, "VOILUTSequence", *sorted(self._window_range()))
        except ImageReadError:
            self.warnings.append(f"{element('VOILUTSequence')} is malformed and was not applied")
            return None

    def _has_window(self) -> bool:
        """Whether there is a window that can be applied; says so where there is one that cannot."""
        center, width = numbers(self._dataset, "WindowCenter"), numbers(self._dataset, "WindowWidth")
        if not center and not width:
            return False
        fault = ""
        function = word(self._dataset, "VOILUTFunction").upper() or "LINEAR"
        if not center or not width:
            fault = f"{element('WindowCenter')} and {element('WindowWidth')} come together"
        elif function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            fault = f"{element('VOILUTFunction')} is unknown"
        elif width[0] < 1 if function == "LINEAR" else width[0] <= 0:
            fault = f"{element('WindowWidth')} is too small"
        if fault:
            self.warnings.append(f"{fault}; no window was applied and the full range was used")
        return not fault


def _stored_range(header: DicomHeader) -> tuple[float, float]:
    if header.signed:
        return -(2.0 ** (header.bits - 1)), 2.0 ** (header.bits - 1) - 1
    return 0.0, 2.0**header.bits - 1


def _find_padding(dataset: Dataset, dtype: np.dtype) -> tuple[float, float] | None:
    """Return the smallest and largest stored value that is no anatomy, in the stored values' own sign.

    From Pixel Padding Value (0028,0120) to Pixel Padding Range Limit (0028,0121); writers often give those of a signed
    image as unsigned words, which count as two's complement.
    """
    padding = numbers(dataset, "PixelPaddingValue")
    if not padding:
        return None
    limits = np.iinfo(dtype)
    span = 2 ** (8 * dtype.itemsize)
    ends = [padding[0], (numbers(dataset, "PixelPaddingRangeLimit") or padding)[0]]
    ends = [end - span if end > limits.max else end + span if end < limits.min else end for end in ends]
    return min(ends), max(ends)
