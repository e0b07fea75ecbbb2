# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Anatomy of the generated ultrasound: skin, fat, muscle fascia, an organ with vessels and a deep outline; lesions.

Lengths are in units of the sector height; see `physics.Probe` for the coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from monai_anomaly.phantom.ultrasound.physics import SAMPLES, SCAN_LINES, Array, Echo, Probe

__all__ = ["LESION_KINDS", "Anatomy", "Lesion", "LesionKind", "Stroke", "draw_anatomy", "draw_lesion", "tissue"]

LesionKind = Literal["mass", "focus", "cyst"]
LESION_KINDS: tuple[LesionKind, ...] = ("mass", "focus", "cyst")


@dataclass(frozen=True)
class Stroke:
    """A curved line: a vessel or a fascia. Middle (x, z), half length, half width, slope, bend."""

    x: float
    z: float
    length: float
    width: float
    slope: float
    bend: float

    def level(self, x: Array, z: Array) -> Array:
        """Distance to the line over its half width; below 1 inside."""
        along = x - np.float32(self.x)
        across = z - np.float32(self.z) - self.slope * along - self.bend * along**2
        past = np.maximum(np.abs(along) - np.float32(self.length), 0)
        return np.hypot(across, past) / np.float32(self.width)


@dataclass(frozen=True)
class Anatomy:
    """One normal case. Depths of the layers at the middle, their tilt and curvature; levels in dB; half widths."""

    skin: float
    fat: float
    deep: float
    tilt: float
    curve: float
    deep_tilt: float
    deep_curve: float
    wave: tuple[float, float]
    fat_db: float
    muscle_db: float
    deep_db: float
    ridges: tuple[float, float]
    loss_db: float
    fasciae: tuple[Stroke, ...]
    vessels: tuple[Stroke, ...]
    contact: tuple[float, float]
    shine: Array
    texture: Array


@dataclass(frozen=True)
class Lesion:
    """A lesion. Middle (x, z), half axes, rotation in radians, border harmonics (amplitude, phase), contrast in dB."""

    kind: LesionKind
    x: float
    z: float
    half_width: float
    half_height: float
    turn: float
    border: tuple[tuple[float, float], ...]
    contrast_db: float
    loss_db: float

    def level(self, x: Array, z: Array) -> Array:
        """Distance from the middle over that of the border; below 1 inside."""
        dx, dz = x - np.float32(self.x), z - np.float32(self.z)
        cos, sin = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        u, v = (cos * dx + sin * dz) / self.half_width, (cos * dz - sin * dx) / self.half_height
        angle = np.arctan2(v, u)
        reach = np.ones_like(angle)
        for order, (amplitude, phase) in enumerate(self.border, start=2):
            reach += np.float32(amplitude) * np.cos(order * angle + np.float32(phase))
        return np.hypot(u, v) / reach


def draw_anatomy(body: np.random.Generator, view: np.random.Generator) -> Anatomy:
    """Draw a normal case: `body` is the patient (thickness of layers, levels), `view` the image (the rest)."""
    fat = float(body.uniform(0.15, 0.21)) + float(view.uniform(-0.012, 0.012))
    deep = float(body.uniform(0.80, 0.88)) + float(view.uniform(-0.015, 0.015))
    fasciae = tuple(_stroke(view, (0.05, fat - 0.02), (0.05, 0.20), (0.004, 0.007)) for _ in range(view.integers(2, 5)))
    fasciae += tuple(
        _stroke(view, (fat + 0.06, deep - 0.08), (0.03, 0.10), (0.004, 0.007)) for _ in range(view.integers(1, 4))
    )
    vessels = tuple(
        _stroke(view, (fat + 0.1, deep - 0.1), (0.05, 0.14), (0.011, 0.018)) for _ in range(view.integers(0, 4))
    )
    return Anatomy(
        skin=float(body.uniform(0.025, 0.04)),
        fat=fat,
        deep=deep,
        tilt=float(view.uniform(-0.05, 0.05)),
        curve=float(view.uniform(-0.06, 0.06)),
        deep_tilt=float(view.uniform(-0.06, 0.06)),
        deep_curve=float(view.uniform(-0.15, 0.05)),
        wave=(float(view.uniform(0.0, 0.01)), float(view.uniform(0, 2 * np.pi))),
        fat_db=float(body.uniform(-11, -6)),
        muscle_db=float(body.uniform(-2, 2)),
        deep_db=float(body.uniform(-26, -16)),
        ridges=(float(body.uniform(0.006, 0.012)), float(body.uniform(0.008, 0.016))),
        loss_db=float(body.uniform(22, 30)),
        fasciae=fasciae,
        vessels=vessels,
        contact=(float(view.exponential(4)), float(view.exponential(4))),
        shine=view.uniform(-14, 7, 6).astype(np.float32),
        texture=view.standard_normal((7, 7), dtype=np.float32),
    )


def _stroke(
    rng: np.random.Generator, z: tuple[float, float], length: tuple[float, float], width: tuple[float, float]
) -> Stroke:
    return Stroke(
        x=float(rng.uniform(-0.4, 0.4)),
        z=float(rng.uniform(*z)),
        length=float(rng.uniform(*length)),
        width=float(rng.uniform(*width)),
        slope=float(rng.uniform(-0.25, 0.25)),
        bend=float(rng.uniform(-0.4, 0.4)),
    )


def draw_lesion(rng: np.random.Generator, kind: LesionKind, probe: Probe, anatomy: Anatomy) -> Lesion:
    """Draw a lesion of 18 to 35 % of the sector height that lies within the organ and well within the sector."""
    size = float(rng.uniform(0.20, 0.34))
    if kind == "mass":  # irregular, rather taller than wide
        half_width, half_height = size / 2 * float(rng.uniform(0.8, 1.1)), size / 2
        border = tuple((float(rng.uniform(0, 0.30 / order)), float(rng.uniform(0, 6.28))) for order in range(2, 7))
        contrast, loss = float(rng.uniform(-19, -14)), float(rng.uniform(0, 12))
    elif kind == "focus":  # a curved bright surface
        half_width, half_height = size / 2, size / 2 * float(rng.uniform(0.55, 0.8))
        border = tuple((float(rng.uniform(0, 0.10 / order)), float(rng.uniform(0, 6.28))) for order in range(2, 5))
        contrast, loss = float(rng.uniform(14, 18)), float(rng.uniform(130, 190))
    else:
        half_width, half_height = size / 2 * float(rng.uniform(0.9, 1.25)), size / 2
        border = ((float(rng.uniform(0, 0.05)), float(rng.uniform(0, 6.28))),)
        contrast, loss = float(rng.uniform(-30, -24)), float(rng.uniform(-28, -18))
    room = (anatomy.fat + half_height + 0.03, anatomy.deep - half_height - 0.04)
    depth = np.float32(rng.uniform(room[0], max(room)))
    x, z = probe.place(np.float32(rng.uniform(-0.55, 0.55)), depth)
    turn = float(rng.uniform(-0.35, 0.35))
    return Lesion(kind, float(x), float(z), half_width, half_height, turn, border, contrast, loss)


def _blend(level: Array, softness: float) -> Array:
    """1 inside (level < 1), 0 outside, with a soft border."""
    return 1 / (1 + np.exp(np.clip((level - 1) / np.float32(softness), -30, 30)))


def tissue(probe: Probe, anatomy: Anatomy, lesion: Lesion | None) -> Echo:
    """Scatterer strength, mirrors and attenuation on the beam grid of the probe."""
    x, z, depth = probe.beam_grid
    wave = np.float32(anatomy.wave[0]) * np.sin(9 * x + np.float32(anatomy.wave[1]))
    fat = np.float32(anatomy.fat) + anatomy.tilt * x + anatomy.curve * x**2 + wave
    deep = np.float32(anatomy.deep) + anatomy.deep_tilt * x + anatomy.deep_curve * x**2 + wave
    texture = zoom(anatomy.texture, (SAMPLES / 7, SCAN_LINES / 7), order=1)

    organ = _step(depth - fat) * _step(deep - depth)
    scatter = np.float32(anatomy.fat_db) * _step(fat - depth) + np.float32(anatomy.deep_db) * _step(depth - deep)
    scatter += np.float32(anatomy.muscle_db) * organ * _step(fat + np.float32(0.12) - depth)
    scatter += 8 * _step(np.float32(anatomy.skin) - depth) + np.float32(1.6) * texture
    shine = np.power(np.float32(10), zoom(anatomy.shine, SCAN_LINES / 6, order=1) / 20)
    mirror = 2.8 * _ridge(depth - fat, anatomy.ridges[0]) + 4.5 * shine * _ridge(depth - deep, anatomy.ridges[1])
    loss = np.full_like(scatter, anatomy.loss_db)

    bright = np.zeros_like(scatter)
    for stroke in anatomy.fasciae:
        bright = np.maximum(bright, np.exp(-0.5 * stroke.level(x, z) ** 2))
    for stroke in anatomy.vessels:
        level = stroke.level(x, z)
        scatter -= 16 * _blend(level, 0.15)
        bright = np.maximum(bright, 0.4 * _ridge(level - 1.25, 0.25))
    mirror += 2.6 * bright
    edge = np.linspace(-1, 1, SCAN_LINES, dtype=np.float32)[None, :]
    scatter -= sum(
        np.float32(strength) * np.clip((side * edge - 0.7) / 0.3, 0, 1)
        for side, strength in zip((-1, 1), anatomy.contact, strict=True)
    )
    if lesion is not None:
        level = lesion.level(x, z)
        inside = _blend(level, 0.05)
        mirror = mirror * (1 - inside)
        scatter = scatter * (1 - inside) + np.float32(lesion.contrast_db) * inside
        loss += np.float32(lesion.loss_db) * inside
        if lesion.kind == "cyst":
            mirror += 0.7 * _ridge(level - 1, 0.06)
    return Echo(scatter, mirror.astype(np.float32), loss)


def _step(value: Array) -> NDArray[np.float32]:
    return (value > 0).astype(np.float32)


def _ridge(distance: Array, width: float) -> Array:
    return np.exp(-0.5 * (distance / np.float32(width)) ** 2)
