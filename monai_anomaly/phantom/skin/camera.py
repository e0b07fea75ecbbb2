# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The dermatoscope of the generated skin: lamp, exposure, and the picture that meets targets drawn without the label.

The targets are the mean and the spread of each color that an even ellipse of the same size and color would have on the
same skin, and the sharpness. So no simple statistic tells a cancerous lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_anomaly.phantom.detail import coarsen, sharpness
from monai_anomaly.phantom.skin.anatomy import BLOOD, MELANIN, SIDE, Array, Skin, cloud, grid, skin_density
from monai_anomaly.phantom.skin.clutter import Clutter, cover
from monai_anomaly.phantom.skin.lesion import Lesion, Mole, plain_lesion

__all__ = ["Settings", "adjust", "draw_settings", "light", "photograph"]

_GRAY = np.array([0.299, 0.587, 0.114], np.float32)
_ROUNDS = 8
_WHOLE = np.ones((SIDE, SIDE), bool)


@dataclass(frozen=True)
class Settings:
    """The person's skin, the machine and the view of one image; drawn without the label.

    Args:
        skin: of the person.
        mole: size and color of the lesion.
        clutter: what lies on the skin.
        pixel_mm: side of a pixel.
        polarized: what the header says of the lamp; it is not seen in the picture.
        balance: factors of red, green and blue.
        vignette: share of the light that is lost in the corners.
        tilt: change of the light to the right and downward.
        contrast: target spread of each color, of that of an even ellipse.
        hues: target share of the variance of red that blue does not explain, which redness brings.
        coarse_detail: target sharpness of the gray picture at 64 x 64 pixels, over its spread.
        detail: target sharpness of the gray picture, over the coarse one.
        noise: standard deviation of the camera's.
    """

    skin: Skin
    mole: Mole
    clutter: Clutter
    pixel_mm: float
    polarized: bool
    balance: tuple[float, float, float]
    vignette: float
    tilt: tuple[float, float]
    contrast: float
    hues: float
    coarse_detail: float
    detail: float
    noise: float


def draw_settings(machine: np.random.Generator, view: np.random.Generator) -> Settings:
    """Draw the settings of an image: the `machine` and skin of the patient's study, and the `view`."""
    skin = Skin(
        melanin=float(machine.uniform(0.02, 0.25) if machine.random() < 0.75 else machine.uniform(0.25, 0.6)),
        blood=float(machine.uniform(0.03, 0.16)),
        mottle=float(machine.uniform(0.05, 0.12)),
        furrows=float(machine.uniform(0.006, 0.018)),
    )
    pixel_mm = round(float(machine.uniform(0.085, 0.12)), 4)
    hairy = bool(machine.random() < 0.4)
    ruler = int(machine.integers(4)) if machine.random() < 0.3 else None
    warm = float(machine.normal(0, 0.025))
    clutter = Clutter(
        hairs=int(view.integers(2, 9)) if hairy else int(view.integers(0, 2)),
        hair=(float(machine.uniform(0.6, 1.2)), float(machine.uniform(0.45, 0.85))),
        bubbles=int(view.integers(1, 6)) if view.random() < 0.3 else 0,
        ruler=ruler,
        tick=1 / pixel_mm,
    )
    return Settings(
        skin=skin,
        mole=_draw_mole(view),
        clutter=clutter,
        pixel_mm=pixel_mm,
        polarized=bool(machine.random() < 0.6),
        balance=(1 + warm, 1.0, 1 - warm),
        vignette=float(machine.uniform(0.05, 0.25)),
        tilt=(float(view.uniform(-0.05, 0.05)), float(view.uniform(-0.05, 0.05))),
        contrast=float(view.uniform(0.98, 1.08)),
        hues=float(np.exp(view.uniform(np.log(0.016), np.log(0.06)))),
        coarse_detail=float(view.uniform(0.088, 0.118)),
        detail=float(view.uniform(1.05, 1.35)),
        noise=float(machine.uniform(0.004, 0.008)),
    )


def _draw_mole(view: np.random.Generator) -> Mole:
    depth = float(np.exp(view.uniform(np.log(0.35), np.log(1.1))))
    color = depth * MELANIN * view.uniform(0.92, 1.08, 3) + float(view.uniform(0, 0.12)) * BLOOD
    red, green, blue = (float(value) for value in color)
    return Mole(
        area=round(SIDE**2 * float(np.exp(view.uniform(np.log(0.09), np.log(0.24))))),
        middle=(float(view.uniform(-5, 5)), float(view.uniform(-5, 5))),
        aspect=float(view.uniform(0.72, 1.0)),
        turn=float(view.uniform(0, np.pi)),
        edge=float(view.uniform(0.2, 0.5)),
        color=(red, green, blue),
        rise=float(view.uniform(0.1, 1.2)),
    )


def light(settings: Settings) -> Array:
    """Return what the lamp gives to each pixel in each color, (3, SIDE, SIDE)."""
    x, y = (axis / np.float32(SIDE / 2) for axis in grid())
    even = 1 - np.float32(settings.vignette) * (x**2 + y**2) / 2
    even += np.float32(settings.tilt[0]) * x + np.float32(settings.tilt[1]) * y
    return np.array(settings.balance, np.float32)[:, None, None] * even


def photograph(rng: np.random.Generator, settings: Settings, lesion: Lesion) -> Array:
    """Return the picture of a lesion.

    Args:
        rng: draws skin, redness, clutter and noise.
        settings: holds the targets.
        lesion: on the skin.

    Returns:
        (3, SIDE, SIDE) float32; 0 is black and 1 is white.
    """
    skin = skin_density(rng, settings.skin)
    redness = BLOOD[:, None, None] * (lesion.halo + np.float32(0.25) * cloud(rng, 4))
    picture = cover(rng, adjust(skin, redness, lesion, settings), settings.clutter)
    picture += np.float32(settings.noise) * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(picture, 0, 1)


def adjust(skin: Array, redness: Array, lesion: Lesion, settings: Settings) -> Array:
    """Return the picture without clutter that meets the targets: exposure, and how strong texture and redness are.

    Args:
        skin: density, (3, SIDE, SIDE).
        redness: density to add as much of as it takes, (3, SIDE, SIDE).
        lesion: on the skin; its texture is added as much as it takes.
        settings: holds the targets.
    """
    lamp = light(settings)
    measure = lamp * np.exp(-skin - plain_lesion(settings.mole).density)
    mean, spread = measure.mean((1, 2)), settings.contrast * measure.std((1, 2))
    scale = np.array([0.1, 0.05, 0.05])
    for _ in range(_ROUNDS):
        network, dots, blood = scale.astype(np.float32)
        texture = 1 + network * lesion.network + dots * lesion.dots
        picture = _expose(lamp * np.exp(-skin - blood * redness - texture * lesion.density), mean, spread)
        gray = np.tensordot(_GRAY, picture, 1)
        coarse, fine = sharpness(coarsen(gray), _WHOLE[::2, ::2]), sharpness(gray, _WHOLE)
        hues = 1 - float(np.corrcoef(picture[0].ravel(), picture[2].ravel())[0, 1])
        wanted = settings.coarse_detail * float(gray.std())
        change = np.array([(wanted / coarse) ** 1.5, (wanted * settings.detail / fine) ** 1.5, settings.hues / hues])
        scale = np.clip(scale * np.clip(change, 0.4, 2.5), 0.005, 0.5)
    return picture


def _expose(seen: Array, mean: Array, spread: Array) -> Array:
    """Give each color its wanted mean and standard deviation."""
    seen_mean, seen_spread = seen.mean((1, 2)), seen.std((1, 2))
    return (seen - seen_mean[:, None, None]) * (spread / seen_spread)[:, None, None] + mean[:, None, None]
