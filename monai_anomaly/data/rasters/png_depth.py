# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How many bits of a PNG are used: its chunk sBIT, which Pillow passes over."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from monai_anomaly.data.rasters.png_check import PNG_START

__all__ = ["PngDepth", "read_depth"]

MOST_CHUNKS = 1000


@dataclass(frozen=True)
class PngDepth:
    """Bits of a number.

    Args:
        stored: bits stored.
        used: bits that are used by the chunk sBIT; those stored, where there is none.
    """

    stored: int
    used: int

    def white(self, values: np.ndarray) -> int:
        """Return the value of white.

        The standard asks writers to spread fewer bits over all, which leaves the upper ones as they are and white
        where it is. Many write 12 bits as they are and say so in sBIT: no value is above theirs, and some have bits
        that spreading would have moved up.

        Args:
            values: of a gray picture.
        """
        full = 2**self.stored - 1
        used = 2**self.used - 1
        if not 0 < self.used < self.stored or values.max() > used:
            return full
        return used if (values & (2 ** (self.stored - self.used) - 1)).any() else full


def read_depth(stream: BinaryIO) -> PngDepth | None:
    """Return the bits of an open PNG by its first chunks; None for another file.

    Args:
        stream: the file, whose checksums have been looked at; left where it was.
    """
    at = stream.tell()
    stream.seek(0)
    try:
        if stream.read(len(PNG_START)) != PNG_START:
            return None
        stored = used = 0
        for _ in range(MOST_CHUNKS):
            head = stream.read(8)
            kind = head[4:]
            if len(head) < 8 or kind in (b"IDAT", b"PLTE", b"IEND"):
                break
            (length,) = struct.unpack(">I", head[:4])
            if kind == b"IHDR":
                stored = used = stream.read(length)[8]
            elif kind == b"sBIT" and 1 <= length <= 4:
                used = stream.read(length)[0]
            else:
                stream.seek(length, 1)
            stream.seek(4, 1)
        return PngDepth(stored, used)
    finally:
        stream.seek(at)
