# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The words on an overlay: that it is for research, and what was decided; nothing about the patient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from monai_anomaly.scoring.result import Result

__all__ = ["draw_banner"]

_SMALLEST, _PART_OF_ROWS = 10, 36


def draw_banner(drawn: npt.NDArray[np.uint8], result: Result, *, several: bool) -> None:
    """Write two lines into the lower left corner, white with a dark edge so that they are read on anything.

    Args:
        drawn: RGB ``(rows, columns, 3)``; changed in place. A picture too small for words keeps its pixels.
        result: that the picture shows.
        several: whether the source has several frames.
    """
    lines = ["Research use", _said(result, several)]
    rows, columns = drawn.shape[:2]
    font = _font(lines, rows, columns)
    if font is None:
        return
    image = Image.fromarray(drawn)
    margin, step = max(2, rows // 100), round(1.3 * font.size)
    pen, edge = ImageDraw.Draw(image), max(1, round(font.size / 10))
    for number, line in enumerate(lines):
        place = margin, rows - margin - step * (len(lines) - number)
        pen.text(place, line, (255, 255, 255), font, stroke_width=edge, stroke_fill=(0, 0, 0))
    drawn[:] = np.asarray(image)


def _said(result: Result, several: bool) -> str:
    """Return the decision, its p-value and the frame."""
    said = str(result.decision).replace("_", " ")
    if result.p_value is not None:
        said += f", p-value {result.p_value:.2g}"
    return f"{said}, frame {result.frame + 1}" if several and result.frame is not None else said


def _font(lines: list[str], rows: int, columns: int) -> ImageFont.FreeTypeFont | None:
    """Return Pillow's own font in the largest size that fits, at most a part of the picture's height."""
    for size in range(max(_SMALLEST, rows // _PART_OF_ROWS), _SMALLEST - 1, -1):
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise RuntimeError("Pillow was built without FreeType, which draws text; install its wheel.")
        margin = max(2, rows // 100)
        if max(font.getlength(line) for line in lines) + 2 * margin <= columns and 4 * size < rows:
            return font
    return None
