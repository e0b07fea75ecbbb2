# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a frame's compressed bytes can be what the header says, and which colors they decode to."""

from __future__ import annotations

import struct

from pydicom.uid import JPEG2000TransferSyntaxes, RLELossless

from monai_anomaly.data.dicom.codestream import (
    codestream_shape,
    has_color_transform,
    mark_rgb,
    starts_codestream,
    take_jpeg_colors,
)
from monai_anomaly.data.dicom.elements import element
from monai_anomaly.data.dicom.layout import DicomHeader
from monai_anomaly.data.errors import ImageReadError

__all__ = ["check_code", "starts_frame", "take_colors"]

RLE_HEADER = 64


def starts_frame(code: bytes, header: DicomHeader) -> bool:
    """Return whether a fragment that starts with these bytes is the first one of a frame."""
    if header.syntax == RLELossless:
        return code.startswith(struct.pack("<2I", _planes(header), RLE_HEADER))
    return starts_codestream(code)


def check_code(code: bytes, header: DicomHeader) -> None:
    """Refuse a codestream that would inflate to something else than the header says."""
    if header.syntax == RLELossless:
        _check_runs(code, header)
        return
    shape = codestream_shape(code)
    if shape is None:
        raise ImageReadError(
            "inconsistent",
            f"{element('PixelData')} does not start like {header.syntax.name}; export the image again.",
        )
    if shape != (header.rows, header.columns, header.samples):
        raise ImageReadError(
            "inconsistent",
            f"the compressed image is {shape[0]} x {shape[1]} pixels of {shape[2]} values where {element('Rows')}, "
            f"{element('Columns')} and {element('SamplesPerPixel')} say {header.rows} x {header.columns} of "
            f"{header.samples}; export the image again.",
        )


def take_colors(code: bytes, header: DicomHeader) -> tuple[bytes, str]:
    """Return the codestream to decode, and the photometric interpretation of what it decodes to.

    What a codestream says about its colors was said by whoever transformed them, and counts where the header says RGB:
    many writers leave it as it was before the compression. Other contradictions could mean either.
    """
    declared = "RGB" if header.photometric == "RGB" else "YBR"
    if header.samples == 3 and header.decoder == "pillow":
        code, says = take_jpeg_colors(code)
        if says == {"YBR"} or (not says and declared == "YBR"):
            return code, "YBR_FULL"
        if declared == "RGB" and says <= {"RGB"}:
            return mark_rgb(code), "RGB"
    elif header.samples == 3 and header.syntax in JPEG2000TransferSyntaxes and declared == "YBR":
        if has_color_transform(code) == (header.photometric in ("YBR_ICT", "YBR_RCT")):
            return code, "RGB" if has_color_transform(code) else header.photometric
    elif header.photometric not in ("YBR_ICT", "YBR_RCT"):
        return code, header.photometric
    raise ImageReadError(
        "inconsistent",
        f"the compressed image and {element('PhotometricInterpretation')} contradict each other about colors; export "
        "the image again.",
    )


def _check_runs(code: bytes, header: DicomHeader) -> None:
    """Refuse run lengths that are damaged or far too many: they declare no size, and their decoder has no limit."""
    planes = _planes(header)
    most = RLE_HEADER + 2 * planes * header.rows * (header.columns + 1)
    if RLE_HEADER <= len(code) <= most:
        count, *starts = struct.unpack_from("<16I", code)
        starts = starts[:planes]
        if count == planes and starts[0] == RLE_HEADER and starts == sorted(starts) and starts[-1] < len(code):
            return
    raise ImageReadError(
        "inconsistent",
        f"the run lengths of {element('PixelData')} do not fit {element('Rows')}, {element('Columns')}, "
        f"{element('SamplesPerPixel')} and {element('BitsAllocated')}; export the image again.",
    )


def _planes(header: DicomHeader) -> int:
    """Return the segments of run lengths: one for each byte of a pixel."""
    return header.samples * max(header.allocated // 8, 1)
