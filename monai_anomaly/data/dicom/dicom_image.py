# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""DICOM frames as a viewer shows them, in [0, 1]."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from monai_anomaly.data.dicom.color import rgb_to_unit, ybr_to_unit
from monai_anomaly.data.dicom.elements import element, quiet_pydicom, word
from monai_anomaly.data.dicom.gray import GrayRules
from monai_anomaly.data.dicom.groups import frame_elements, same_elements
from monai_anomaly.data.dicom.header import check_numbers, read_header
from monai_anomaly.data.dicom.identity import find_year, hash_identifiers
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.dicom.lut import read_palette
from monai_anomaly.data.dicom.masks import find_visible
from monai_anomaly.data.dicom.modality import modality_code
from monai_anomaly.data.dicom.pixel_data import PixelData
from monai_anomaly.data.dicom.preamble import complete_preamble
from monai_anomaly.data.dicom.spacing import find_spacing
from monai_anomaly.data.dicom.us_regions import UltrasoundRegion, find_region
from monai_anomaly.data.errors import boundary
from monai_anomaly.data.frame_source import DecodedImage
from monai_anomaly.data.pixel_values import small_range
from monai_anomaly.data.read_limits import ReadLimits

__all__ = ["DicomSource"]

LOSSY_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit)
CORRECT_BITS = f"export it with a window or with the true {element('BitsStored')}"
COLORS_OF_JPEG = (
    f"{element('PhotometricInterpretation')} is RGB, but the JPEG says that it holds Y, Cb, Cr; the JPEG was believed"
)

NO_PREAMBLE = "the DICOM file lacks the 128 bytes of its preamble"


class DicomSource:
    """The frames of an open DICOM file.

    Whatever does not change from frame to frame is read, checked and worked out once.

    Args:
        stream: the open file; stays open as long as frames are decoded.
        limits: checked before anything is inflated.
        voi: apply the file's window or VOI LUT, where it has one.
        masks: set padding, and what shutter and collimator hide, to 0.
        for_processing: accept images that are not meant to be looked at.
        key: the site's key for hashed identifiers; None leaves them out.

    Raises:
        ImageReadError: whatever is wrong with the header.
    """

    def __init__(
        self,
        stream: BinaryIO,
        limits: ReadLimits,
        *,
        voi: bool = True,
        masks: bool = True,
        for_processing: bool = False,
        key: bytes | None = None,
    ) -> None:
        self._voi = voi
        self._masks = masks
        self._rules: _FrameRules | None = None
        with quiet_pydicom():
            with boundary("reading the start of the DICOM file"):
                stream, completed = complete_preamble(stream)
            self._pixels = PixelData(stream, read_header(stream, limits, for_processing=for_processing))
            self._header = header = self._pixels.header
            with boundary("reading the header"):
                self._region = find_region(header.dataset, rows=header.rows, columns=header.columns)
                self._identifiers = hash_identifiers(header.dataset, key) if key is not None else {}
        self._warnings = [*header.warnings, *self._pixels.warnings, *self._region.warnings]
        if completed:
            self._warnings.insert(0, NO_PREAMBLE)

    @property
    def frames(self) -> int:
        """Number of frames in the file."""
        return self._header.frames

    def decode(self, index: int) -> DecodedImage:
        """Decode one frame; see :class:`~monai_anomaly.data.frame_source.FrameSource`."""
        with quiet_pydicom():
            stored, colors, notes = self._pixels.decode(index)
            with boundary("turning stored values into pixels"):
                rules = self._rules_of(index)
                pixels, masked, more = rules.apply(stored, colors)
        header, region = self._header, self._region
        if header.photometric == "RGB" != colors:
            notes = (*notes, COLORS_OF_JPEG)
        return DecodedImage(
            values=pixels,
            kind="dicom",
            file_format=f"DICOM, {header.syntax.name}",
            modality=modality_code(word(header.dataset, "Modality")) or "other",
            photometric=header.photometric,
            frames=header.frames,
            frame=index,
            box=region.box,
            region=region.state,
            spacing=rules.spacing,
            spacing_origin=rules.spacing_origin,
            voi=rules.gray is not None and rules.gray.voi,
            inverted=rules.gray is not None and rules.gray.inverted,
            masked=masked,
            year=find_year(header.dataset),
            identifiers=dict(self._identifiers),
            warnings=[*self._warnings, *notes, *rules.warnings, *more],
        )

    def decode_mask(self, index: int) -> np.ndarray:
        """Return where a frame is not black; see :class:`~monai_anomaly.data.rasters.lesion_mask.MaskSource`."""
        least = 0.5 if self._header.syntax in LOSSY_JPEG else 0.0
        return np.asarray((self.decode(index).pixels > least).any(axis=0))

    def _rules_of(self, index: int) -> _FrameRules:
        """Return the frame's rules; worked out again only where a frame has elements of its own."""
        dataset = frame_elements(self._header.dataset, index, self.frames)
        if self._rules is None or not same_elements(dataset, self._rules.dataset):
            check_numbers(dataset)
            flags = {"voi": self._voi, "masks": self._masks, "lossy": self._pixels.lossy}
            self._rules = _FrameRules(dataset, self._header, self._region, **flags)
        return self._rules


class _FrameRules:
    """How stored values of a frame become pixels, and what is known about it.

    Args:
        dataset: what holds for the frame.
        header: the checked header.
        region: the file's ultrasound region.
        voi: as in :class:`DicomSource`.
        masks: as in :class:`DicomSource`.
        lossy: whether stored values may differ from those before a compression.
    """

    def __init__(
        self, dataset: Dataset, header: DicomHeader, region: UltrasoundRegion, *, voi: bool, masks: bool, lossy: bool
    ) -> None:
        self.dataset = dataset
        self.warnings: list[str] = []
        self.gray = self._palette = None
        self._bits = header.bits
        if header.photometric == "PALETTE COLOR":
            self._palette = read_palette(dataset, header.dtype)
        elif header.samples == 1:
            self.gray = GrayRules(dataset, header, voi=voi, masks=masks, lossy=lossy)
            self.warnings += self.gray.warnings
        self._hidden: np.ndarray | None = None
        if masks:
            visible, notes = find_visible(dataset, (header.rows, header.columns))
            self._hidden = None if visible is None else ~visible
            self.warnings += notes
        self._told_range = self._palette is not None or (self.gray is not None and self.gray.voi)
        self.spacing, self.spacing_origin = region.spacing, "us_region" if region.spacing else ""
        if region.spacing is None and region.state != "untrusted":  # whoever rescaled it did not correct the spacing
            self.spacing, self.spacing_origin, notes = find_spacing(dataset)
            self.warnings += notes

    def apply(self, stored: np.ndarray, colors: str) -> tuple[np.ndarray, float, list[str]]:
        """Return float32 ``(C, H, W)`` in [0, 1], the share of its pixels that are masked, and warnings.

        Args:
            stored: what was decoded.
            colors: its photometric interpretation.
        """
        hidden = self._hidden
        if self.gray is not None:
            gray, padding = self.gray.apply(stored)
            if padding is not None:
                hidden = padding if hidden is None else hidden | padding
            pixels = gray[None]
        elif self._palette is not None:
            pixels = self._palette(stored)
        else:
            convert = ybr_to_unit if colors in ("YBR_FULL", "YBR_FULL_422") else rgb_to_unit
            pixels = convert(stored, self._bits)
        notes = [] if self._told_range else small_range(pixels, self._bits, CORRECT_BITS, _shown(pixels, hidden))
        if hidden is None:
            return pixels, 0.0, notes
        pixels[:, hidden] = 0.0
        return pixels, float(hidden.mean()), notes


def _shown(pixels: np.ndarray, hidden: np.ndarray | None) -> np.ndarray | None:
    """Return which pixels are looked at, of the shape of ``pixels``; None for all."""
    return None if hidden is None else np.broadcast_to(~hidden, pixels.shape)
