# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""By how much a large JPEG may be decoded smaller than it is, without a difference after it was resized."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["FACTORS", "reduction"]

FACTORS = (8, 4, 2)
"""What the inverse cosine transform of a block of 8 x 8 gives in less time than the whole block."""

MOST_SHIFT = 0.25
"""How far pixels may move at most, in parts of a picture of ``enough`` pixels."""


def reduction(shape: Sequence[int], enough: int | None) -> int:
    """Return the largest factor by which rows and columns may become fewer, 1 for none.

    Where a factor does not divide a side, the last pixel of the smaller picture stands for some that are not there, and
    the others move a little once it is resized: by less than a quarter of a pixel of ``enough``, or the factor is not
    taken. Photographs of cameras have sides that 8 divides, and any other is large enough for it.

    Args:
        shape: rows and columns.
        enough: pixels that rows and columns must have afterwards; None allows no factor.

    Example:
        >>> reduction((2000, 3000), 256), reduction((2000, 3000), 250), reduction((2001, 3001), 400)
        (4, 8, 2)
    """
    if enough is None:
        return 1
    for factor in FACTORS:
        fits = (side // factor >= enough and (-side % factor) * enough <= MOST_SHIFT * side for side in shape)
        if all(fits):
            return factor
    return 1
