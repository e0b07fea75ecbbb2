# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Anatomy of the generated chest radiograph: the trunk, what is in it, and where each pixel's ray passes it.

Lengths are in centimeters of a patient who stands with the front to the detector: x to the patient's left, which is the
right of the picture, from the midline; y downward from the top of the shoulders.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Array", "Chest", "Ellipse", "Field", "Stroke", "Trunk", "draw_chest", "draw_trunk"]

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """What the detector covers.

    Args:
        rows: height in pixels.
        columns: width in pixels.
        pixel_cm: side of a pixel.
        left: x of the left border at the middle of the height.
        top: y of the upper border at the middle of the width.
        turn: rotation of the patient in radians.
    """

    rows: int
    columns: int
    pixel_cm: float
    left: float
    top: float
    turn: float

    def stretch(self, nodes: Array) -> Array:
        """Values at even nodes, (n, m), to (rows, columns), bilinear."""
        return np.asarray(Image.fromarray(nodes).resize((self.columns, self.rows), Image.Resampling.BILINEAR))

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """x and y of the centers of the pixels, each (rows, columns)."""
        right = (np.arange(self.columns) + 0.5 - self.columns / 2) * self.pixel_cm
        down = (np.arange(self.rows) + 0.5 - self.rows / 2) * self.pixel_cm
        u, v = np.meshgrid(right.astype(np.float32), down.astype(np.float32))
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        middle = (self.left + self.columns * self.pixel_cm / 2, self.top + self.rows * self.pixel_cm / 2)
        return cos * u + sin * v + np.float32(middle[0]), cos * v - sin * u + np.float32(middle[1])


@dataclass(frozen=True)
class Trunk:
    """The size of a patient. Half width and depth of the trunk, level of the shoulders, breasts (0 for none)."""

    half_width: float
    depth: float
    shoulder: float
    slope: float
    breast: float


@dataclass(frozen=True)
class Ellipse:
    """An ellipsoid in projection: middle, half axes, rotation in radians, longest path through it."""

    x: float
    y: float
    half_width: float
    half_height: float
    turn: float
    depth: float

    def path(self, x: Array, y: Array) -> Array:
        """Length of the rays at `x`, `y` within the ellipsoid."""
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        u, v = (cos * dx + sin * dy) / self.half_width, (cos * dy - sin * dx) / self.half_height
        return np.float32(self.depth) * np.sqrt(np.maximum(1 - u**2 - v**2, 0))


@dataclass(frozen=True)
class Stroke:
    """A straight piece of a vessel: its ends and its radius."""

    x0: float
    y0: float
    x1: float
    y1: float
    radius: float


@dataclass(frozen=True)
class Chest:
    """One normal case.

    Args:
        cage: greatest half width of the lungs, depth of the thorax, y of the lungs' apex.
        domes: (y of the top, x of the top, curvature) of the diaphragm at the patient's right and left.
        column: half width of the mediastinum at the top and at the bottom.
        spine: offset, curvature and phase of the spine; length of a vertebra.
        organs: heart and great vessels.
        gas: gas bubbles in the stomach and the bowel.
        vessels: vessels of the lungs.
        density: what the lungs hold of tissue, 0 to 1.
        ribs: y of the ribs' heads at the spine.
        rib: half height of a rib, bone along the ray through it, drop from back to front.
        clavicles: y at the sternum and slope at the patient's right and left; radius.
        shoulder_blades: x of the inner border at the patient's right and left.
        trachea: offset and y of its fork.
        texture: (2, 9, 9) unevenness of the soft tissue, of the lungs.
    """

    cage: tuple[float, float, float]
    domes: tuple[tuple[float, float, float], tuple[float, float, float]]
    column: tuple[float, float]
    spine: tuple[float, float, float, float]
    organs: tuple[Ellipse, ...]
    gas: tuple[Ellipse, ...]
    vessels: tuple[Stroke, ...]
    density: float
    ribs: Array
    rib: tuple[float, float, float]
    clavicles: tuple[tuple[float, float], tuple[float, float], float]
    shoulder_blades: tuple[float, float]
    trachea: tuple[float, float]
    texture: Array

    def half_width(self, y: Array) -> Array:
        """Half width of the lungs at `y`: a dome over a column."""
        widest, _, apex = self.cage
        rise = np.clip((26 - y) / np.float32(26 - apex), 0, 1)
        return np.float32(widest) * np.sqrt(np.maximum(1 - rise**2.3, 0))

    def dome(self, x: Array) -> Array:
        """y of the diaphragm at `x`."""
        (top0, at0, curve0), (top1, at1, curve1) = self.domes
        right = np.float32(top0) + np.float32(curve0) * (x + np.float32(at0)) ** 2
        left = np.float32(top1) + np.float32(curve1) * (x - np.float32(at1)) ** 2
        share = 1 / (1 + np.exp(-x / np.float32(0.6)))
        return right * (1 - share) + left * share


def draw_trunk(rng: np.random.Generator) -> Trunk:
    """Draw the size of a patient."""
    half_width = float(rng.uniform(14.8, 17.5))
    return Trunk(
        half_width=half_width,
        depth=half_width * float(rng.uniform(1.20, 1.36)),
        shoulder=float(rng.uniform(-2.2, -0.8)),
        slope=float(rng.uniform(0.16, 0.32)),
        breast=float(rng.uniform(1.2, 3.2)) if rng.random() < 0.45 else 0.0,
    )


def draw_chest(body: np.random.Generator, view: np.random.Generator, trunk: Trunk) -> Chest:
    """Draw a normal case: `body` is the patient, `view` the image (breath, and how the patient stands)."""
    breath = float(view.uniform(-1.2, 1.2))
    right = 23.6 + breath + float(body.uniform(-0.8, 0.8))
    left = right + float(body.uniform(0.3, 1.6))
    apex = float(body.uniform(0.6, 1.8))
    widest = trunk.half_width * float(body.uniform(0.83, 0.88)) + 0.1 * breath
    spacing = float(body.uniform(2.35, 2.6))
    heads = apex - 0.3 + spacing * np.arange(12) * (1 + 0.012 * np.arange(12))
    heads += body.uniform(-0.12, 0.12, 12) + 0.08 * breath
    swing = float(view.uniform(-0.5, 0.5))  # a slight turn to one side
    return Chest(
        cage=(widest, trunk.depth * float(body.uniform(0.74, 0.80)), apex),
        domes=(
            (right, float(body.uniform(5.5, 7.0)), float(body.uniform(0.07, 0.10))),
            (left, float(body.uniform(5.5, 7.5)), float(body.uniform(0.07, 0.10))),
        ),
        column=(float(body.uniform(2.7, 3.6)), float(body.uniform(2.3, 2.9))),
        spine=(
            swing,
            float(body.uniform(-0.003, 0.003)),
            float(body.uniform(0, 2 * np.pi)),
            float(body.uniform(2.3, 2.6)),
        ),
        organs=_draw_heart(body, view, right, swing),
        gas=_draw_gas(view, left),
        vessels=_draw_vessels(body, view, right, widest),
        density=float(body.uniform(0.20, 0.28)) - 0.012 * breath,
        ribs=heads.astype(np.float32),
        rib=(float(body.uniform(0.55, 0.70)), float(body.uniform(0.40, 0.65)), float(body.uniform(9.0, 11.5))),
        clavicles=(
            (float(view.uniform(3.4, 5.2)), float(view.uniform(0.12, 0.34))),
            (float(view.uniform(3.4, 5.2)), float(view.uniform(0.12, 0.34))),
            float(body.uniform(0.5, 0.65)),
        ),
        shoulder_blades=(float(view.uniform(10.5, 14.0)), float(view.uniform(10.5, 14.0))),
        trachea=(float(body.uniform(-0.7, 0.2)) + swing / 2, float(body.uniform(9.0, 10.2))),
        texture=body.standard_normal((2, 9, 9), dtype=np.float32),
    )


def _draw_heart(body: np.random.Generator, view: np.random.Generator, dome: float, swing: float) -> tuple[Ellipse, ...]:
    """Ventricles, right atrium, aortic arch, pulmonary trunk, descending aorta, the two hila."""
    size = float(body.uniform(0.86, 1.10)) * (1 + 0.02 * float(view.uniform(-1, 1)))
    base = dome - float(body.uniform(2.2, 3.2))
    return (
        Ellipse(2.7 * size + swing, base, 7.2 * size, 5.0 * size, float(body.uniform(0.45, 0.75)), 11 * size),
        Ellipse(-1.0 + swing / 2, base - 0.5, 3.3 * size, 5.0 * size, 0.0, 9 * size),
        Ellipse(1.6, 8.0 + float(body.uniform(-0.6, 0.6)), float(body.uniform(1.6, 2.3)), 1.9, 0.0, 7.0),
        Ellipse(2.3, 11.5 + float(body.uniform(-0.5, 0.5)), float(body.uniform(1.5, 2.3)), 2.4, 0.3, 6.0),
        Ellipse(1.4, 16.0, 1.7, 11.0, 0.0, 3.0),
        Ellipse(-3.4 + swing, 12.3, 1.3, 2.3, float(body.uniform(0.1, 0.5)), float(body.uniform(2.0, 3.2))),
        Ellipse(3.6 + swing, 11.6, 1.2, 2.1, -float(body.uniform(0.1, 0.5)), float(body.uniform(2.0, 3.2))),
    )


def _draw_gas(rng: np.random.Generator, dome: float) -> tuple[Ellipse, ...]:
    bubbles = []
    if rng.random() < 0.75:  # the stomach's
        half = float(rng.uniform(0.9, 1.8))
        bubbles.append(
            Ellipse(float(rng.uniform(4, 8)), dome + half + 1.2, half * 1.7, half, float(rng.uniform(-0.2, 0.2)), 3.5)
        )
    for _ in range(int(rng.integers(0, 3))):
        size = float(rng.uniform(0.7, 1.4))
        bubbles.append(Ellipse(float(rng.uniform(3, 11)), dome + float(rng.uniform(4, 7)), 1.4 * size, size, 0.0, 2.5))
    return tuple(bubbles)


def _draw_vessels(
    body: np.random.Generator, view: np.random.Generator, dome: float, widest: float
) -> tuple[Stroke, ...]:
    """Trees that fork from the hila outward, thinner with each fork."""
    strokes = []
    scale = float(body.uniform(0.85, 1.15))
    for side in (-1, 1):
        roots = np.linspace(-1.25, 1.35, 6) + view.uniform(-0.15, 0.15, 6)
        tips = [(side * 3.4, 12.0, angle, 0.52 * scale * float(view.uniform(0.8, 1.15))) for angle in roots]
        for length in (2.2, 2.2, 2.0, 1.8, 1.6):
            grown: list[tuple[float, float, float, float]] = []
            for x, y, angle, radius in tips:
                reach = length * float(view.uniform(0.75, 1.25))
                end = (x + side * reach * np.cos(angle), y + reach * np.sin(angle))
                if abs(end[0]) > widest or end[1] > dome + 3 or end[1] < 2:
                    continue
                strokes.append(Stroke(x, y, float(end[0]), float(end[1]), radius))
                spread = float(view.uniform(0.25, 0.5))
                for turn in (-spread, spread):
                    if len(grown) < 12:
                        grown.append(
                            (float(end[0]), float(end[1]), angle + turn, radius * float(view.uniform(0.74, 0.88)))
                        )
            tips = [grown[i] for i in view.permutation(len(grown))]
    return tuple(strokes)
