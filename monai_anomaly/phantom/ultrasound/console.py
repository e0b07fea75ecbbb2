# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The console of the generated ultrasound machine: from the echo in dB to the picture on the screen.

Brightness, contrast and sharpness of a picture are set to targets that are drawn without knowledge of the label, as an
operator or an automatic gain would set them. So no such statistic tells a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monai_anomaly.phantom.detail import coarsen, sharpness, split_bands
from monai_anomaly.phantom.ultrasound.physics import SAMPLES, SCAN_LINES, Array, Echo, Probe, received_db

__all__ = ["Settings", "acquire", "adjust", "draw_settings"]


_KNEE = 0.55  # gray level above which the slope of the gray map is free
_ROUNDS = 10


@dataclass(frozen=True)
class Settings:
    """What the operator chose for one image; drawn without the label.

    Args:
        probe: geometry of the scan.
        axial: axial resolution in samples.
        lateral: lateral resolution at the focus in lines.
        focus: depth of the focus.
        tgc: gain over depth: error of the mean slope, amplitude and phase of its waviness (dB, dB, radians).
        floor_db: electronic noise, dB.
        brightness: target mean within the scan lines, [0, 1].
        contrast: target standard deviation within the scan lines at 64 x 64 pixels.
        coarse_detail: target sharpness within the scan lines at 64 x 64 pixels.
        detail: target sharpness within the scan lines, see `sharpness`.
        white: target share of pixels within the scan lines that are above 0.9.
    """

    probe: Probe
    axial: float
    lateral: float
    focus: float
    tgc: tuple[float, float, float]
    floor_db: float
    brightness: float
    contrast: float
    coarse_detail: float
    detail: float
    white: float


def draw_settings(machine: np.random.Generator, view: np.random.Generator) -> Settings:
    """Draw the settings of an image: the `machine` of the patient's study and the `view`."""
    convex = bool(machine.random() < 0.5)
    rows = int(view.integers(186, 206))
    probe = Probe(
        rows=rows,
        radius=float(machine.uniform(0.30, 0.40)) if convex else 0.0,
        half_angle=float(machine.uniform(0.42, 0.47)) if convex else 0.0,
        width=float(machine.uniform(1.05, 1.2)),
        depth_cm=float(view.uniform(9, 14) if convex else view.uniform(3.5, 5.5)),
    )
    contrast = float(view.uniform(0.13, 0.18))
    coarse_detail = contrast * float(view.uniform(0.29, 0.48))
    return Settings(
        probe=probe,
        axial=float(machine.uniform(0.9, 1.4)),
        lateral=float(machine.uniform(1.0, 1.6)),
        focus=float(view.uniform(0.35, 0.65)),
        tgc=(float(view.uniform(-4, 4)), float(view.uniform(0, 1.5)), float(view.uniform(0, 2 * np.pi))),
        floor_db=float(machine.uniform(-48, -40)),
        brightness=float(view.uniform(0.38, 0.50)),
        contrast=contrast,
        coarse_detail=coarse_detail,
        detail=coarse_detail * float(view.uniform(0.95, 1.3)),
        white=float(np.exp(view.uniform(np.log(0.003), np.log(0.022)))),
    )


def acquire(
    settings: Settings, echo: Echo, rng: np.random.Generator, phases: tuple[float, ...] = (0.0,)
) -> list[Array]:
    """Scan the tissue: one dB picture (rows, columns) per phase.

    The speckle of a cine is that of two independent sets of scatterers turning into each other with the phase
    (radians), so that neighboring frames are alike and each has the same statistics.
    """
    shape = (4, SAMPLES, SCAN_LINES)
    draws = (
        rng.standard_normal(shape, dtype=np.float32) + 1j * rng.standard_normal(shape, dtype=np.float32)
    ) / np.sqrt(2)
    draws = draws.astype(np.complex64)
    probe = settings.probe
    depth = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    slope, waves, turn = settings.tgc
    usual = float(np.median(echo.loss_db)) * probe.reach + slope
    gain = usual * depth + np.float32(waves) * np.sin(7 * depth + np.float32(turn))
    lateral = settings.lateral * (1 + 1.2 * np.abs(depth - settings.focus))
    pictures = []
    for phase in phases:
        cos, sin = np.float32(np.cos(phase)), np.float32(np.sin(phase))
        beams = received_db(
            echo,
            cos * draws[0] + sin * draws[1],
            reach=probe.reach,
            axial=settings.axial,
            lateral=lateral,
            gain_db=gain,
            floor_db=settings.floor_db,
            electronic=cos * draws[2] + sin * draws[3],
        )
        pictures.append(probe.scan_convert(beams))
    return pictures


def adjust(pictures: list[Array], settings: Settings, middle: int = 0) -> list[NDArray[np.uint8]]:
    """Gray levels of dB pictures: gain, dynamic range and edge enhancement that meet the settings' targets.

    Args:
        pictures: frames (rows, columns) in dB; one setting serves all frames.
        settings: holds the targets.
        middle: the frame that the setting is made on.

    Returns:
        (rows, columns) uint8 per frame; 0 outside the scan lines.
    """
    inside = settings.probe.inside
    weight = coarsen(inside.astype(np.float32)) > 0.99
    share = float(inside.mean())
    bands = [split_bands(picture, 3.0) for picture in pictures]
    pivot = float(bands[middle][0][inside].mean())
    scale = np.array([1.0, 1.0, 1.0]) / 55
    gain, knee = settings.brightness - scale[0] * pivot, 1.0

    def screen(frame: int) -> Array:
        level = np.tensordot(scale.astype(np.float32), bands[frame], 1) + np.float32(gain)
        return level + np.float32(knee - 1) * np.maximum(level - np.float32(_KNEE), 0)

    for _ in range(_ROUNDS):
        level = screen(middle)
        image = np.clip(level, 0, 1) * inside
        coarse = coarsen(image)
        spread = float(coarse[weight].std())
        tops = [np.quantile(level[inside], 1 - settings.white), np.quantile(coarse[weight], 1 - 0.4 * settings.white)]
        stretch = [(0.9 - _KNEE) / max(float(top) - _KNEE, 0.05) for top in tops]
        knee = float(np.clip(knee * stretch[0] ** 0.6 * stretch[1] ** 0.4, 0.3, 3.0))
        wanted = np.array([settings.contrast, settings.coarse_detail, settings.detail])
        measured = np.array([spread, sharpness(coarse, weight), sharpness(image, inside)])
        change = np.clip((wanted / measured) ** 0.8, 0.5, 2.0)
        gain += scale[0] * (1 - change[0]) * pivot + settings.brightness - float(image.mean()) / share
        scale *= change
    return [np.round(255 * np.clip(screen(frame), 0, 1) * inside).astype(np.uint8) for frame in range(len(pictures))]
