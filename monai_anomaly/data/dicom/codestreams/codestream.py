# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a JPEG, JPEG-LS or JPEG 2000 codestream says about itself, read without decoding it."""

from __future__ import annotations

from dataclasses import dataclass

from monai_anomaly.data.dicom.codestreams.jpeg2000 import JP2_SIGNATURE, JPEG2000_START, read_sizes
from monai_anomaly.data.jpeg_stream import JPEG_LS, JPEG_START, LOSSLESS, SCAN, find_frame_header, walk_jpeg

__all__ = ["Codestream", "read_codestream", "starts_codestream"]

DCT = (0xC0, 0xC1, 0xC2)


@dataclass(frozen=True)
class Codestream:
    """What a codestream says about its picture.

    Args:
        process: ``"DCT"``, ``"lossless"``, ``"LS"``, ``"2000"``, or ``"other"`` for a JPEG that is none of these.
        rows: rows.
        columns: columns.
        components: values of a pixel.
        precision: bits of a value.
        signed: whether values have a sign; None where the format does not know signs.
        lossy: whether values differ from those before the compression, as far as the format says so.
    """

    process: str
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None
    lossy: bool


def starts_codestream(code: bytes) -> bool:
    """Return whether these bytes begin a picture; those within one cannot look like it."""
    return code.startswith((JPEG_START, JPEG2000_START, JP2_SIGNATURE))


def read_codestream(code: bytes) -> Codestream | None:
    """Return what a codestream says about itself; None when it is none of those known.

    Args:
        code: a frame's bytes: JPEG, JPEG-LS or JPEG 2000.
    """
    sizes = read_sizes(code)
    if sizes is not None:
        return Codestream(
            "2000", sizes.rows, sizes.columns, sizes.components, sizes.precision, sizes.signed, sizes.lossy
        )
    header = find_frame_header(code)
    if header is None:
        return None
    process = "DCT" if header.marker in DCT else {LOSSLESS: "lossless", JPEG_LS: "LS"}.get(header.marker, "other")
    lossy = process == "DCT" or (process == "LS" and _nearness(code) > 0)
    return Codestream(process, header.rows, header.columns, len(header.components), header.precision, None, lossy)


def _nearness(code: bytes) -> int:
    """Return by how much values of a JPEG-LS may be off: the byte behind the components in a scan's header."""
    for part in walk_jpeg(code):
        body = code[part.body : part.end]
        if part.marker == SCAN and len(body) > 1 + 2 * body[0]:
            return body[1 + 2 * body[0]]
    return 0
