# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What lies on the generated skin: hairs, bubbles of the immersion gel, the ruler of the contact plate.

Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from monai_anomaly.phantom.skin.anatomy import SIDE, Array, grid

__all__ = ["Clutter", "cover"]

_FINE = 4  # strokes are drawn this much larger


@dataclass(frozen=True)
class Clutter:
    """What lies between the skin and the lens; where it lies is drawn for each image.

    Args:
        hairs: their number.
        hair: their width in pixels and the share of the light that they take.
        bubbles: their number.
        ruler: side that has the ticks, 0 to 3, counterclockwise from the left; None for none.
        tick: pixels between two ticks.
    """

    hairs: int
    hair: tuple[float, float]
    bubbles: int
    ruler: int | None
    tick: float


def cover(rng: np.random.Generator, picture: Array, clutter: Clutter) -> Array:
    """Return the picture (3, SIDE, SIDE) with hairs, bubbles and ruler on it."""
    for _ in range(clutter.bubbles):
        picture = _bubble(rng, picture)
    width, taken = clutter.hair
    strands = Image.new("L", (_FINE * SIDE, _FINE * SIDE))
    for _ in range(clutter.hairs):
        _hair(rng, ImageDraw.Draw(strands), width)
    color = np.float32(taken) * np.array([0.88, 0.96, 1.0], np.float32)
    picture = picture * (1 - color[:, None, None] * _shrink(strands))
    if clutter.ruler is not None:
        picture = picture * (1 - np.float32(0.75) * np.rot90(_ruler(rng, clutter.tick), clutter.ruler))
    return picture.astype(np.float32)


def _shrink(strokes: Image.Image) -> Array:
    return np.asarray(strokes.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.float32) / np.float32(255)


def _hair(rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: float) -> None:
    """Draw a bent stroke from somewhere, through somewhere else, to its thin end."""
    start = rng.uniform(-0.1, 1.1, 2) * SIDE
    angle = float(rng.uniform(0, 2 * np.pi))
    length = float(rng.uniform(0.35, 1.2)) * SIDE
    bend = float(rng.uniform(-0.9, 0.9))
    along = np.linspace(0, 1, 24)
    angles = angle + bend * along
    steps = np.stack([np.cos(angles), np.sin(angles)], 1) * length / len(along)
    points = _FINE * (start + np.cumsum(steps, 0))
    for place, (begin, end) in enumerate(pairwise(points)):
        thick = max(round(_FINE * width * (1 - 0.6 * place / len(along))), 1)
        draw.line((*begin.tolist(), *end.tolist()), fill=255, width=thick)


def _bubble(rng: np.random.Generator, picture: Array) -> Array:
    """Return a round drop of air: a dark rim, bright within it, with a reflection of the lamp at one side."""
    x, y = grid()
    middle = (rng.uniform(-0.48, 0.48, 2) * SIDE).astype(np.float32)
    radius = float(rng.uniform(1.6, 4.5))
    away = np.hypot(x - middle[0], y - middle[1])
    rim = np.exp(-(((away - radius) / 0.7) ** 2))
    shine = np.exp(-((x - middle[0] + 0.45 * radius) ** 2 + (y - middle[1] + 0.45 * radius) ** 2) / (0.25 * radius**2))
    lit = picture * (1 - 0.22 * rim + 0.10 * (away < radius))
    return (lit + (0.97 - lit) * 0.7 * shine).astype(np.float32)


def _ruler(rng: np.random.Generator, tick: float) -> Array:
    """Return the share of each pixel that is covered by the ticks at the left side, (SIDE, SIDE)."""
    canvas = Image.new("L", (_FINE * SIDE, _FINE * SIDE))
    draw = ImageDraw.Draw(canvas)
    first = int(rng.integers(5))
    places = np.arange(float(rng.uniform(0, tick)), SIDE, tick)
    for place, y in enumerate(places):
        reach = 9 if (place + first) % 5 == 0 else 5
        draw.line((0, _FINE * y, _FINE * reach, _FINE * y), fill=255, width=3)
    return _shrink(canvas)
