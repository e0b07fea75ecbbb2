# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Lesions of the generated skin: benign ones are regular and of one tone, cancerous ones ragged and of several.

What makes a lesion suspect are the A, B and C of dermatology: asymmetry, border, color. Size, mean color and contrast
are given, and the same for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monai_anomaly.phantom.skin.anatomy import BLOOD, MELANIN, SIDE, Array, cloud, grain, grid

__all__ = ["LESION_KINDS", "Lesion", "LesionKind", "Mole", "draw_lesion", "plain_lesion"]

LesionKind = Literal["spreading", "nodular", "regressing"]
LESION_KINDS: tuple[LesionKind, ...] = ("spreading", "nodular", "regressing")

Waves = Iterable[float]

_TONES: dict[str, Array] = {
    "tan": 0.45 * MELANIN,
    "dark brown": 1.55 * MELANIN,
    "black": np.array([1.6, 1.8, 1.9], np.float32),
    "red": 0.35 * MELANIN + 0.65 * BLOOD,
    "blue-gray": np.array([1.4, 1.2, 0.95], np.float32),
    "white": 0.0 * MELANIN,
}
"""Density of the patches of a lesion whose brown has that of MELANIN."""

_PALETTES: dict[LesionKind, tuple[str, ...]] = {
    "spreading": ("dark brown", "black", "tan", "red"),
    "nodular": ("blue-gray", "black", "red"),
    "regressing": ("white", "blue-gray", "dark brown"),
}


@dataclass(frozen=True)
class Mole:
    """What a benign and a cancerous lesion of a pair have in common.

    Args:
        area: pixels.
        middle: x and y.
        aspect: short over long axis, before irregularity.
        turn: rotation of the long axis in radians.
        edge: width of the border, of the radius.
        color: mean density over the skin's, of red, green and blue.
        rise: how much denser the center is than the rim, of the mean.
    """

    area: int
    middle: tuple[float, float]
    aspect: float
    turn: float
    edge: float
    color: tuple[float, float, float]
    rise: float


@dataclass(frozen=True)
class Lesion:
    """A lesion without its texture.

    Args:
        density: over the skin's, (3, SIDE, SIDE).
        share: how much of a pixel is lesion, 0 to 1, (SIDE, SIDE).
        halo: a ring around it, 0 to 1, (SIDE, SIDE).
        network: lines of pigment, unit variance, (SIDE, SIDE).
        dots: fine pigment, unit variance, (SIDE, SIDE).
    """

    density: Array
    share: Array
    halo: Array
    network: Array
    dots: Array

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the lesion is, (SIDE, SIDE)."""
        return self.share > 0.5


def plain_lesion(mole: Mole) -> Lesion:
    """Return an even ellipse: the measure of what else is drawn of `mole`."""
    nothing = np.zeros((3, SIDE, SIDE), np.float32)
    return _paint(mole, _away(mole), rise=mole.rise, added=nothing, texture=nothing[:2])


def draw_lesion(rng: np.random.Generator, mole: Mole, kind: LesionKind | None) -> Lesion:
    """Draw a lesion.

    Args:
        rng: draws its shape and its tones.
        mole: what is given.
        kind: of a cancerous lesion, None for a benign one: a spreading one has black, brown and red patches, a nodular
            one blue-gray, black and red ones, and a regressing one has lost its pigment in places.
    """
    texture = np.stack([-np.tanh(np.abs(grain(rng, 1.25))), np.tanh(grain(rng, 0.7))])
    texture = (texture - texture.mean((1, 2), keepdims=True)) / texture.std((1, 2), keepdims=True)
    if kind is None:
        waves = rng.normal(0, 0.03, 4) / np.arange(1, 5) ** 0.5
        away = _away(mole, waves, rng.uniform(0, 2 * np.pi, 4))
        mottle = MELANIN[:, None, None] * np.float32(0.10) * cloud(rng, 8)
        return _paint(mole, away, rise=mole.rise, added=mottle, texture=texture)
    away = _ragged(rng, mole)
    # less dense in the center, as patches have more than their share of the contrast
    return _paint(mole, away, rise=0.35 * mole.rise, added=_patches(rng, kind, away), texture=texture)


def _away(mole: Mole, waves: Waves = (), phases: Waves = (), bend: Array | None = None) -> Array:
    """Distance from the middle over that of the border, (SIDE, SIDE): below 1 is as much as the wanted area.

    Args:
        mole: gives ellipse and area.
        waves: amplitudes, of the radius, of waves around the border with two periods, three, and so on.
        phases: theirs, in radians.
        bend: (2, SIDE, SIDE) pixels that the plane is bent by.
    """
    dx, dy = _from_middle(mole) if bend is None else _from_middle(mole) + bend
    cos, sin = np.float32(np.cos(mole.turn)), np.float32(np.sin(mole.turn))
    u, v = cos * dx + sin * dy, (cos * dy - sin * dx) / np.float32(mole.aspect)
    around = np.arctan2(v, u)
    rim = np.ones_like(u)
    for order, (wave, phase) in enumerate(zip(waves, phases, strict=True), start=2):
        rim += np.float32(wave) * np.cos(order * around + np.float32(phase))
    return _to_area(np.hypot(u, v) / np.maximum(rim, 0.4), mole)


def _from_middle(mole: Mole) -> Array:
    """x and y of the pixels from the lesion's middle, (2, SIDE, SIDE)."""
    return np.stack(grid()) - np.array(mole.middle, np.float32)[:, None, None]


def _to_area(away: Array, mole: Mole) -> Array:
    """Scale the distances so that as many pixels as the lesion shall have are below 1."""
    return away / np.partition(away.ravel(), mole.area)[mole.area]


def _ragged(rng: np.random.Generator, mole: Mole) -> Array:
    """`_away` with strong waves, two to four notches and a bent plane, which makes no two sides alike."""
    radius = float(np.sqrt(mole.area / np.pi))
    ragged = np.float32(rng.uniform(0.45, 1.0))  # how much of all this
    coarse, fine = round(1.1 * SIDE / radius), round(2.6 * SIDE / radius)
    bend = np.stack([0.17 * cloud(rng, coarse) + 0.07 * cloud(rng, fine) for _ in "xy"])
    waves = ragged * rng.uniform(0.05, 0.12, 6) / np.arange(1, 7) ** 0.4
    away = _away(mole, waves, rng.uniform(0, 2 * np.pi, 6), ragged * np.float32(radius) * bend)
    x, y = _from_middle(mole)
    around = np.arctan2(y, x)
    for _ in range(int(rng.integers(2, 5))):
        at, depth, width = (np.float32(rng.uniform(*ends)) for ends in ((-np.pi, np.pi), (0.2, 0.5), (0.12, 0.3)))
        aside = (around - at + np.float32(np.pi)) % np.float32(2 * np.pi) - np.float32(np.pi)
        away = away * (1 + ragged * depth * np.exp(-((aside / width) ** 2)))
    return _to_area(away, mole)


def _patches(rng: np.random.Generator, kind: LesionKind, away: Array) -> Array:
    """Density over the brown's, (3, SIDE, SIDE), of one to three patches of other tones that lie off the middle."""
    x, y = grid()
    inside = np.flatnonzero((away > 0.35) & (away < 0.85))
    palette = _PALETTES[kind]
    tones = [palette[place] for place in rng.permutation(len(palette))[: int(rng.integers(1, 4))]]
    strength = np.float32(rng.uniform(0.5, 0.9))
    added = np.zeros((3, SIDE, SIDE), np.float32)
    for tone in tones:
        spot = int(inside[rng.integers(len(inside))])
        radius = np.float32(np.sqrt((away < 1).sum() * rng.uniform(0.12, 0.3) / np.pi))
        border = np.hypot(x - x.flat[spot], y - y.flat[spot]) / radius + 0.3 * cloud(rng, 12)
        share = 1 / (1 + np.exp(np.clip((border - 1) / 0.18, -30, 30)))
        added += share * (strength * (_TONES[tone] - MELANIN)[:, None, None] - added)
    return added


def _paint(mole: Mole, away: Array, *, rise: float, added: Array, texture: Array) -> Lesion:
    """Color a lesion so that its mean is the wanted one.

    Args:
        mole: gives color and border.
        away: see `_away`.
        rise: how much denser the brown is at the center than at the rim.
        added: density over the brown's, (3, SIDE, SIDE).
        texture: network and dots, (2, SIDE, SIDE).
    """
    share = 1 / (1 + np.exp(np.clip((away - 1) / np.float32(0.25 * mole.edge), -30, 30)))
    level = 1 + np.float32(rise) * (0.5 - np.minimum(away, 1.2) ** 2)
    density = np.maximum(level * MELANIN[:, None, None] + added, -0.15) * share
    mean = density.sum((1, 2)) / share.sum()
    density *= (np.array(mole.color, np.float32) / mean)[:, None, None]
    halo = np.exp(-(((away - 1.05) / np.float32(0.3)) ** 2))
    return Lesion(density, share, halo, texture[0], texture[1])
