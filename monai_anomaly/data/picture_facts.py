# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What is known of a picture before it is resized and turned gray; the input guard looks at it."""

from __future__ import annotations

import numpy as np

__all__ = ["PICTURE_FACTS", "PICTURE_PLACE", "picture_facts"]

PICTURE_FACTS: dict[str, int | float] = {"rows": 0, "columns": 0, "colored": 0.0}
"""Names of the facts, with the values of a picture of which nothing is known."""

PICTURE_PLACE: dict[str, tuple[int, ...]] = {"source_shape": (0, 0), "box": (0, 0, 0, 0)}
"""Where the picture was in the stored frame: the frame's rows and columns, and the box ``(x0, y0, x1, y1)``, half open,
that was cut out of it; with the values of a picture of which nothing is known."""

COLORED_DIFFERENCE = 0.1
SAMPLED_SIDE = 512


def picture_facts(pixels: np.ndarray) -> dict[str, int | float]:
    """Return ``rows``, ``columns`` and ``colored``, plain numbers.

    ``colored`` is the share of pixels, 0 to 1, whose channels differ by more than 0.1: more than JPEG makes of gray. Of
    a picture with more than 512 rows or columns every second, third, ... is looked at.

    Args:
        pixels: float32 ``(C, H, W)`` in [0, 1], after the crop, C 1 or 3.
    """
    channels, rows, columns = pixels.shape
    colored = 0.0
    if channels > 1:
        few = pixels[:, :: -(-rows // SAMPLED_SIDE), :: -(-columns // SAMPLED_SIDE)]
        colored = float((few.max(0) - few.min(0) > COLORED_DIFFERENCE).mean())
    return {"rows": int(rows), "columns": int(columns), "colored": colored}
