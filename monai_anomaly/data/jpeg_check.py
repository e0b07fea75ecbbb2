# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a JPEG is whole: its decoders fill what is missing with gray and say nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import simplejpeg

from monai_anomaly.data.errors import ImageReadError
from monai_anomaly.data.jpeg_stream import (
    END,
    LOSSLESS,
    SCAN,
    FrameHeader,
    Part,
    is_frame_header,
    read_frame_header,
    walk_jpeg,
)
from monai_anomaly.data.jpeg_tables import lost_in_zeros

__all__ = ["check_jpeg", "decode_checked"]

PROCESSES = {
    **{0xC0: "sequential", 0xC1: "sequential", 0xC2: "progressive", LOSSLESS: "lossless"},
    **{0xC9: "sequential", 0xCA: "progressive"},
}
ARITHMETIC = (0xC9, 0xCA)
COEFFICIENTS = 64
HARMLESS = ("Invalid SOS parameters", "Unknown Adobe color transform", "Warning: unknown JFIF revision")
"""What libjpeg warns of where the picture is whole."""
CURE = "copy or export the file again"


def check_jpeg(code: bytes) -> tuple[str, ...]:
    """Refuse a JPEG of which a part is missing or damaged, as far as that can be told: it holds no checksum.

    libjpeg counts the blocks of the picture, and warns where there is too little or too much data for them; decoders
    for Python keep those warnings to themselves, but for simplejpeg. What libjpeg does not notice is looked for here:
    frequencies or colors that no scan holds, and zeros that a broken copy left, which it takes for noise.

    Args:
        code: the JPEG, whose size has been checked; lossless, or with the cosine transform and 8 bits.

    Returns:
        What was tolerated.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed``, ``budget`` or ``unsupported``.
    """
    return _look_through(code, None)[0]


def decode_checked(code: bytes, factor: int) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Return what :func:`check_jpeg` does, and the picture at a part of its size; its codes are read once for both.

    The cosine transform gives the part itself: at an eighth, each pixel is the mean of a block of 8 x 8.

    Args:
        code: as of :func:`check_jpeg`.
        factor: 2, 4 or 8, by which rows and columns become fewer; what is left over makes one more.

    Returns:
        The notes; and uint8 ``(H, W, 1)`` or RGB ``(H, W, 3)``, or None for a JPEG without a cosine transform, of other
        colors, or of which something was tolerated.

    Raises:
        ImageReadError: as :func:`check_jpeg`.
    """
    return _look_through(code, factor)


def _look_through(code: bytes, factor: int | None) -> tuple[tuple[str, ...], np.ndarray | None]:
    parts = list(walk_jpeg(code))
    header, body = _frame_header(code, parts)
    scans = [part for part in parts if part.marker == SCAN]
    _check_coverage(code, header, scans)
    process = PROCESSES[header.marker]
    if process == "lossless":  # simplejpeg knows 8 bits; how much data there are does not depend on that
        code = code[:body] + b"\x08" + code[body + 1 :]
    code = code[: parts[-1].end]
    warning, pixels = _decode(code, header, factor)
    if "extraneous" in warning:
        code = _without_padding(code, scans[-1])
        warning, pixels = _decode(code, header, factor)
    if "remature" in warning:
        raise ImageReadError("truncated", f"the JPEG ends before its last pixel; {CURE}.")
    if warning and not warning.startswith(HARMLESS):
        raise ImageReadError("decode_failed", f"the compressed data of the JPEG are damaged; {CURE}.")
    if header.marker not in ARITHMETIC and lost_in_zeros(code, parts, process):
        raise ImageReadError("decode_failed", f"a part of the JPEG is lost, with zeros in its place; {CURE}.")
    notes = ("the JPEG departs from its standard, so that damage could not be looked for",) if warning else ()
    return notes, pixels


def _frame_header(code: bytes, parts: Iterable[Part]) -> tuple[FrameHeader, int]:
    """Return the one frame header, and where its content is."""
    headers = [part for part in parts if is_frame_header(part.marker)]
    header = read_frame_header(code, headers[0]) if len(headers) == 1 else None
    if header is None or not header.components:
        raise ImageReadError("decode_failed", f"the header of the JPEG is damaged; {CURE}.")
    if header.marker not in PROCESSES or (header.precision != 8 and header.marker != LOSSLESS):
        raise ImageReadError("unsupported", "the JPEG has not 8 bits, or is of a rare kind; save the image as PNG.")
    return header, headers[0].body


def _check_coverage(code: bytes, header: FrameHeader, scans: Iterable[Part]) -> None:
    """Refuse a picture without all of its colors, frequencies and bits, of which libjpeg says nothing."""
    open_bits = {(name, band): 1 for name, _, _ in header.components for band in range(COEFFICIENTS)}
    for scan in scans:
        body = code[scan.body : scan.end]
        count = body[0] if body else 0
        if len(body) < 4 + 2 * count:
            raise ImageReadError("decode_failed", f"a part of the JPEG is damaged; {CURE}.")
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        if PROCESSES[header.marker] != "progressive":
            first, last, bits = 0, COEFFICIENTS - 1, 0
        for name in body[1 : 1 + 2 * count : 2]:
            for band in range(first, min(last, COEFFICIENTS - 1) + 1):
                open_bits[name, band] = bits & 15
    if any(open_bits.values()):
        raise ImageReadError("truncated", f"the JPEG ends before its last scan; {CURE}.")


def _without_padding(code: bytes, scan: Part) -> bytes:
    """Return the JPEG without the zeros that some writers put between its data and its end."""
    return code[: scan.end] + code[scan.end : scan.behind].rstrip(b"\0") + bytes((0xFF, END))


def _decode(code: bytes, header: FrameHeader, factor: int | None) -> tuple[str, np.ndarray | None]:
    """Return the first warning of libjpeg about a JPEG, empty without one, and the picture where it is wanted.

    Where it is not, it is decoded at an eighth of its size, and without its colors.
    """
    colors = {1: "GRAY", 3: "RGB", 4: "CMYK"}.get(len(header.components), "")
    wanted = factor is not None and header.marker != LOSSLESS and colors in ("GRAY", "RGB")
    least = {"min_height": 1, "min_width": 1}
    if header.marker == LOSSLESS:
        least = {}
    elif wanted and factor:
        least = {"min_height": -(-header.rows // factor), "min_width": -(-header.columns // factor)}
    elif colors == "RGB":
        colors = "GRAY"
    try:
        pixels = simplejpeg.decode_jpeg(code, colors or "GRAY", **least)
    except ValueError as error:
        return str(error) or "unknown", None
    return "", pixels if wanted else None
