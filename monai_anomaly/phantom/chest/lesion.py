# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Lesions of the generated chest radiograph: soft tissue or fluid in place of the lung's air."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from monai_anomaly.phantom.chest.anatomy import Array, Chest, Ellipse, Field
from monai_anomaly.phantom.chest.projection import Paths

__all__ = ["LESION_KINDS", "LesionKind", "add_lesion"]

LesionKind = Literal["nodule", "opacity", "effusion"]
LESION_KINDS: tuple[LesionKind, ...] = ("nodule", "opacity", "effusion")

_EDGE = 0.25
"""What counts as lesion: where its path is longer than this share of its longest."""


def add_lesion(
    rng: np.random.Generator, kind: LesionKind, field: Field, chest: Chest, paths: Paths, seen: NDArray[np.bool_]
) -> tuple[Paths, NDArray[np.bool_]]:
    """Fill some of the lungs' air.

    Args:
        rng: draws place, size and shape.
        kind: a nodule is one to three round masses; an opacity a cloudy consolidation; an effusion fluid at the base of
            one lung, with a meniscus.
        field: what the detector covers.
        chest: the anatomy.
        paths: of the normal case.
        seen: (rows, columns), what the collimator leaves.

    Returns:
        the paths with the lesion, and where it is, (rows, columns).
    """
    draw = {"nodule": _nodules, "opacity": _opacity, "effusion": _effusion}[kind]
    filled = draw(rng, field, chest, paths.lung * seen)
    mask = filled > _EDGE * filled.max()
    return replace(paths, air=paths.air - filled, lung=paths.lung - filled), mask & seen


def _place(rng: np.random.Generator, field: Field, lung: Array, at_least: float) -> tuple[float, float]:
    """x and y of a random pixel with deep lung around it, not a narrow gap beside the heart."""
    x, y = field.grid
    around = uniform_filter(lung, round(2.5 / field.pixel_cm))
    spots = np.flatnonzero(around > at_least * lung.max())
    spot = int(spots[rng.integers(len(spots))])
    return float(x.flat[spot]), float(y.flat[spot])


def _nodules(rng: np.random.Generator, field: Field, chest: Chest, lung: Array) -> Array:
    x, y = field.grid
    filled = np.zeros_like(lung)
    for _ in range(1 + int(rng.random() < 0.3) + int(rng.random() < 0.15)):
        at = _place(rng, field, lung, 0.65)
        radius = float(rng.uniform(1.25, 1.9))
        for _ in range(3):  # lobes
            nudge = rng.uniform(-0.3, 0.3, 2) * radius
            half_width, half_height = radius * rng.uniform(0.75, 1.0, 2)
            turn = float(rng.uniform(0, np.pi))
            lobe = Ellipse(at[0] + nudge[0], at[1] + nudge[1], half_width, half_height, turn, 2.6 * radius)
            filled = np.maximum(filled, lobe.path(x, y))
    return np.minimum(filled, 0.9 * lung).astype(np.float32)


def _opacity(rng: np.random.Generator, field: Field, chest: Chest, lung: Array) -> Array:
    """Return a cloud: solid within, with a ragged soft border."""
    x, y = field.grid
    at = _place(rng, field, lung, 0.75)
    half = rng.uniform(2.8, 4.6, 2)
    turn = float(rng.uniform(0, np.pi))
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    dx, dy = x - np.float32(at[0]), y - np.float32(at[1])
    away = np.hypot((cos * dx + sin * dy) / half[0], (cos * dy - sin * dx) / half[1])
    ragged = _cloud(rng, field, 8) * 0.22 + _cloud(rng, field, 24) * 0.12
    share = 1 / (1 + np.exp(np.clip((away + ragged - 0.9) / 0.12, -30, 30)))
    share *= np.sign(x) == np.sign(at[0])  # stays in its lung
    return (float(rng.uniform(0.34, 0.54)) * share * lung * (1 + 0.15 * _cloud(rng, field, 30))).clip(0, 0.9 * lung)


def _effusion(rng: np.random.Generator, field: Field, chest: Chest, lung: Array) -> Array:
    """Fluid that stands higher at the side than in the middle."""
    x, y = field.grid
    side = -1 if rng.random() < 0.5 else 1
    top = chest.domes[0 if side < 0 else 1][0]
    height = float(rng.uniform(0.7, 3.8))  # above the dome, at the side
    out = np.clip((side * x - 2) / (chest.cage[0] - 2), 0, 1)
    level = np.float32(top - height) + np.float32(0.75 * height + 1.2) * (1 - out ** float(rng.uniform(1.6, 2.4)))
    under = y - level + np.float32(0.25) * _cloud(rng, field, 10)
    return (0.92 * lung * np.clip(under / 2.2, 0, 1) ** 0.7 * (side * x > 0)).astype(np.float32)


def _cloud(rng: np.random.Generator, field: Field, cells: int) -> Array:
    """Smooth noise of unit variance at its nodes."""
    return field.stretch(rng.standard_normal((cells, cells), dtype=np.float32))
