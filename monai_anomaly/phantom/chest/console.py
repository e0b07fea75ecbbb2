# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The console of the generated radiographs: from the dose at the plate to the picture on the screen.

A real one looks for the body in the histogram of the doses, maps it through a curve to the gray levels that users want,
and strengthens detail by bands of frequency. So does this one, to targets that are drawn without knowledge of the
label; and so no simple statistic tells a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import PchipInterpolator

from monai_anomaly.phantom.chest.anatomy import Array, Field, Trunk, draw_trunk
from monai_anomaly.phantom.detail import coarsen, sharpness, split_bands

__all__ = ["Settings", "adjust", "draw_marker", "draw_settings"]

_SHARES = np.array([0.01, 0.05, 0.15, 0.30, 0.45, 0.60, 0.75, 0.87, 0.95, 0.99])
"""Shares of the body's pixels that are darker than the gray levels that a picture is adjusted to,"""
_LEVELS = np.array([0.05, 0.12, 0.18, 0.24, 0.31, 0.43, 0.63, 0.78, 0.88, 0.95])
"""and these levels, before the brightness and the contrast that were drawn."""
_ROUNDS = 5


@dataclass(frozen=True)
class Settings:
    """Size of the patient, machine and what the operator chose for one image; drawn without the label.

    Args:
        field: what the plate covers.
        trunk: size of the patient.
        inverted: whether the machine stores white as 0 (MONOCHROME1).
        window: center and width of the display window in stored values.
        photons: see `projection.expose`.
        scatter: see there.
        blur: see there.
        edges: first row, row after the last, first column, column after the last that the collimator leaves.
        marker: letter of the side, its row and column, rotation in degrees.
        gamma: target tone: the exponent of the gray levels; above 1 is darker.
        contrast: target spread of the gray levels around the middle one, of the usual one.
        coarse_detail: target sharpness within the body at 64 x 64 pixels, over the contrast.
        detail: target sharpness within the body, over the coarse one.
    """

    field: Field
    trunk: Trunk
    inverted: bool
    window: tuple[float, float]
    photons: float
    scatter: float
    blur: float
    edges: tuple[int, int, int, int]
    marker: tuple[str, int, int, float]
    gamma: float
    contrast: float
    coarse_detail: float
    detail: float

    @property
    def seen(self) -> NDArray[np.bool_]:
        """What the collimator leaves, (rows, columns)."""
        seen = np.zeros((self.field.rows, self.field.columns), bool)
        top, bottom, left, right = self.edges
        seen[top:bottom, left:right] = True
        return seen


def draw_settings(machine: np.random.Generator, view: np.random.Generator) -> Settings:
    """Draw the settings of an image: the `machine` of the patient's study, with the patient's size, and the `view`."""
    trunk = draw_trunk(machine)
    rows, columns = int(view.integers(248, 273)), int(view.integers(236, 273))
    pixel_cm = 2 * (trunk.half_width + float(view.uniform(0.2, 1.6))) / columns
    field = Field(
        rows=rows,
        columns=columns,
        pixel_cm=round(pixel_cm, 4),
        left=-columns * pixel_cm / 2 + float(view.uniform(-0.9, 0.9)),
        top=float(view.uniform(-3.2, -1.2)),
        turn=float(view.uniform(-0.035, 0.035)),
    )
    collimated = bool(machine.random() < 0.5)
    cut = view.integers(2, 11, 4) * collimated
    left_marker = bool(machine.random() < 0.5)
    across = view.uniform(0.05, 0.12) * columns
    return Settings(
        field=field,
        trunk=trunk,
        inverted=bool(machine.random() < 0.25),
        window=(float(machine.integers(1900, 2200)), float(machine.integers(2600, 3600))),
        photons=float(np.exp(machine.uniform(np.log(25e3), np.log(80e3)))),
        scatter=float(machine.uniform(0.3, 0.6)),
        blur=float(machine.uniform(0.5, 0.8)),
        edges=(int(cut[0]), rows - int(cut[1]), int(cut[2]), columns - int(cut[3])),
        marker=(
            "L" if left_marker else "R",
            int(view.uniform(0.04, 0.10) * rows) + 10,
            int(columns - across - 10 if left_marker else across + 10),
            float(view.uniform(-12, 12)),
        ),
        gamma=float(np.exp(view.uniform(-0.18, 0.18))),
        contrast=float(view.uniform(0.85, 1.08)),
        coarse_detail=float(view.uniform(0.029, 0.040)),
        detail=float(view.uniform(0.36, 0.48)),
    )


def draw_marker(settings: Settings) -> Array:
    """Return the share of each pixel that the lead letter of the side covers, (rows, columns)."""
    letter, row, column, turn = settings.marker
    tile = Image.new("L", (12, 12))
    ImageDraw.Draw(tile).text((3, 0), letter, fill=255, font=ImageFont.load_default_imagefont())
    tile = tile.resize((21, 21), Image.Resampling.BICUBIC).rotate(turn, Image.Resampling.BICUBIC)
    canvas = Image.new("L", (settings.field.columns, settings.field.rows))
    canvas.paste(tile, (column - 10, row - 10))
    return np.asarray(canvas).astype(np.float32) / np.float32(255)


def adjust(dose: Array, within: NDArray[np.bool_], settings: Settings) -> Array:
    """Return the picture whose gray levels and sharpness meet the settings' targets.

    Args:
        dose: (rows, columns) negative logarithm of the dose.
        within: the body's pixels that the targets are about, (rows, columns).
        settings: holds the targets.

    Returns:
        (rows, columns) float32; 0 is black and 1 is white, more and less is beyond the window. Black outside the
        collimator's edges.
    """
    bands = split_bands(dose, 5.0)
    small = coarsen(within.astype(np.float32)) > 0.99
    middle = float(np.interp(0.5, _SHARES, _LEVELS))
    levels = np.clip(middle + settings.contrast * (_LEVELS - middle), 0.01, 0.99) ** settings.gamma
    scale = np.ones(2)
    wanted = settings.contrast * settings.coarse_detail * np.array([1.0, settings.detail])
    for _ in range(_ROUNDS):
        picture = _tone(bands[0] + np.tensordot(scale.astype(np.float32), bands[1:], 1), within, levels)
        shown = np.clip(picture, 0, 1)
        measured = np.array([sharpness(coarsen(shown), small), sharpness(shown, within)])
        scale = np.clip(scale * np.clip(wanted / measured, 0.5, 2.0), 0.2, 5.0)
    return np.where(settings.seen, picture, np.float32(-0.05))


def _tone(dose: Array, within: NDArray[np.bool_], levels: NDArray[np.float64]) -> Array:
    """Map the body's quantiles to their gray levels with a smooth rising curve."""
    knots = np.quantile(dose[:, ::2][within[:, ::2]], _SHARES)  # every other column, for speed
    step = knots[-1] - knots[0]
    knots = np.concatenate([[knots[0] - step], knots, [knots[-1] + 0.25 * step]])
    grays = np.concatenate([[-0.02], levels, [1.03]])
    steps = 4095
    table = PchipInterpolator(knots, grays)(np.linspace(knots[0], knots[-1], steps + 1)).astype(np.float32)
    place = (dose - np.float32(knots[0])) * np.float32(steps / (knots[-1] - knots[0]))
    return table[np.clip(place, 0, steps).astype(np.intp)]
