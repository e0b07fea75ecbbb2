# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a picture file is whole, by what its format has for that; Pillow makes up what is missing."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np

from monai_anomaly.data.errors import boundary
from monai_anomaly.data.jpeg_check import check_jpeg, decode_checked
from monai_anomaly.data.jpeg_stream import JPEG_START
from monai_anomaly.data.rasters.bmp_check import BMP_START, check_bmp
from monai_anomaly.data.rasters.png_check import PNG_START, unpack_png

__all__ = ["WholeFile", "check_whole"]


class WholeFile(NamedTuple):
    """What is known of a picture file that was looked through.

    Args:
        notes: what was tolerated.
        code: what to decode in place of the file, which gives the same pixels in less time; None for the file itself.
        reduced: the picture at a part of its size, as stored, uint8 ``(H, W, C)``, C 1 or 3; None where that was not
            asked for, or cannot be had.
    """

    notes: tuple[str, ...] = ()
    code: bytes | None = None
    reduced: np.ndarray | None = None


def check_whole(stream: BinaryIO, factor: int = 1) -> WholeFile:
    """Refuse a picture file with missing or damaged parts; other formats pass.

    Args:
        stream: the open file, whose size in pixels has been checked; left where it was.
        factor: 2, 4 or 8 to decode a JPEG on the way, at that part of its size; 1 not to.

    Raises:
        ImageReadError: ``truncated``, ``decode_failed``, ``unsupported`` or ``budget``.
    """
    with boundary("looking for damage in the picture"):
        at = stream.tell()
        stream.seek(0)
        head = stream.read(len(PNG_START))
        whole = WholeFile()
        if head.startswith(PNG_START):
            whole = WholeFile(*unpack_png(head + stream.read()))
        elif head.startswith(JPEG_START):
            code = head + stream.read()
            notes, reduced = (check_jpeg(code), None) if factor == 1 else decode_checked(code, factor)
            whole = WholeFile(notes, reduced=reduced)
        elif head.startswith(BMP_START):
            whole = WholeFile(check_bmp(head + stream.read()))
        stream.seek(at)
    return whole
