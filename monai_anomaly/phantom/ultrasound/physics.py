# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Physics of the generated ultrasound: probe geometry, speckle, attenuation, log compression, scan conversion.

Lengths are in units of the height of the scan sector's bounding box. Ours because no kept library makes ultrasound
images of a second's work: Field II and k-Wave solve the wave equation and take minutes per image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

__all__ = ["SAMPLES", "SCAN_LINES", "Echo", "Probe", "received_db", "speckle"]

Array = NDArray[np.float32]

SAMPLES = 256
SCAN_LINES = 144


@dataclass(frozen=True)
class Probe:
    """The geometry of a scan: a linear probe (parallel lines) or a convex one (lines from a virtual apex).

    Args:
        rows: height of the scan sector's bounding box in pixels.
        radius: radius of the probe's face over the sector height; 0 for a linear probe.
        half_angle: half the opening angle in radians (convex).
        width: width over height of the box (linear).
        depth_cm: height of the sector in centimeters.
    """

    rows: int
    radius: float
    half_angle: float
    width: float
    depth_cm: float

    @property
    def convex(self) -> bool:
        return self.radius > 0

    @property
    def reach(self) -> float:
        """Length of a scan line."""
        return 1.0 - self.radius * (1.0 - float(np.cos(self.half_angle))) if self.convex else 1.0

    @property
    def columns(self) -> int:
        width = 2 * (self.radius + self.reach) * np.sin(self.half_angle) if self.convex else self.width
        return round(self.rows * float(width))

    @property
    def pixel_cm(self) -> float:
        return self.depth_cm / self.rows

    def place(self, line: Array, depth: Array) -> tuple[Array, Array]:
        """Cartesian place (x from the middle, z from the top of the box) of lines in [-1, 1] and depths."""
        if not self.convex:
            x, z = np.broadcast_arrays(line * np.float32(self.width / 2), depth)
            return x, z
        angle = line * np.float32(self.half_angle)
        reach = depth + np.float32(self.radius)
        top = np.float32(self.radius * np.cos(self.half_angle))
        return reach * np.sin(angle), reach * np.cos(angle) - top

    @cached_property
    def beam_grid(self) -> tuple[Array, Array, Array]:
        """x, z and depth along the line, each (SAMPLES, SCAN_LINES)."""
        line = np.linspace(-1, 1, SCAN_LINES, dtype=np.float32)[None, :]
        depth = np.linspace(0, self.reach, SAMPLES, dtype=np.float32)[:, None]
        x, z = self.place(line, depth)
        return x, z, np.broadcast_to(depth, x.shape)

    @cached_property
    def pixel_grid(self) -> tuple[Array, Array, Array, Array]:
        """x, z, line in [-1, 1] and depth of the centers of the pixels, each (rows, columns)."""
        half = self.columns / 2
        across = ((np.arange(self.columns) + 0.5 - half) / self.rows).astype(np.float32)
        down = ((np.arange(self.rows) + 0.5) / self.rows).astype(np.float32)
        x, z = np.meshgrid(across, down)
        if not self.convex:
            return x, z, x / np.float32(self.width / 2), z
        drop = z + np.float32(self.radius * np.cos(self.half_angle))
        return x, z, np.arctan2(x, drop) / np.float32(self.half_angle), np.hypot(x, drop) - np.float32(self.radius)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Pixels that the scan lines reach, (rows, columns)."""
        _, _, line, depth = self.pixel_grid
        return (np.abs(line) <= 1) & (depth >= 0) & (depth <= self.reach)

    def scan_convert(self, beams: Array) -> Array:
        """Resample (SAMPLES, SCAN_LINES) on the beams to (rows, columns) in pixels, bilinear; edge values outside."""
        _, _, line, depth = self.pixel_grid
        coordinates = np.stack([depth / np.float32(self.reach) * (SAMPLES - 1), (line + 1) / 2 * (SCAN_LINES - 1)])
        return map_coordinates(beams, coordinates, order=1, mode="nearest", prefilter=False)


@dataclass(frozen=True)
class Echo:
    """What the tissue does to sound, on the beam grid (SAMPLES, SCAN_LINES).

    Args:
        scatter_db: strength of the diffuse scatterers in dB.
        mirror: amplitude of the coherent echo of smooth interfaces, 0 where there are none.
        loss_db: two-way attenuation in dB per unit of depth, before the gain over depth makes up for the usual one.
    """

    scatter_db: Array
    mirror: Array
    loss_db: Array


def _unit_energy(sigma: NDArray[np.floating], half: int) -> Array:
    """Gaussian kernels (len(sigma), 2 * half + 1) whose squares sum to one, so that blurring keeps the variance."""
    taps = np.arange(-half, half + 1, dtype=np.float32)
    kernel = np.exp(-0.5 * (taps / np.asarray(sigma, np.float32)[:, None]) ** 2)
    return kernel / np.sqrt((kernel**2).sum(axis=1, keepdims=True))


def speckle(scatterers: NDArray[np.complex64], axial: float, lateral: NDArray[np.floating]) -> NDArray[np.complex64]:
    """Blur complex scatterers with the point-spread function of a focused beam.

    Of unit-variance complex Gaussian scatterers the result again has unit variance, and its envelope is
    Rayleigh-distributed: mean over standard deviation 1.91 (Burckhardt 1978, Wagner 1983).

    Args:
        scatterers: (samples, lines).
        axial: standard deviation along the beam, in samples.
        lateral: (samples,) standard deviation across the beams at each depth, in lines.

    Returns:
        (samples, lines) complex64: the demodulated echo.
    """
    half = int(np.ceil(3 * axial))
    kernel = _unit_energy(np.array([axial]), half)[0]
    padded = np.pad(scatterers, ((half, half), (0, 0)), mode="wrap")
    rows = scatterers.shape[0]
    along = np.zeros_like(scatterers)
    for shift, weight in enumerate(kernel):
        along += weight * padded[shift : shift + rows]
    half = int(np.ceil(3 * float(np.max(lateral))))
    kernels = _unit_energy(lateral, half)
    padded = np.pad(along, ((0, 0), (half, half)), mode="wrap")
    lines = scatterers.shape[1]
    across = np.zeros_like(scatterers)
    for shift in range(2 * half + 1):
        across += kernels[:, shift : shift + 1] * padded[:, shift : shift + lines]
    return across


def received_db(
    echo: Echo,
    noise: NDArray[np.complex64],
    *,
    reach: float,
    axial: float,
    lateral: NDArray[np.floating],
    gain_db: NDArray[np.floating],
    floor_db: float,
    electronic: NDArray[np.complex64],
) -> Array:
    """Return the envelope that the receiver sees, in dB.

    Args:
        echo: the tissue.
        noise: (samples, lines) unit complex Gaussian scatterers.
        reach: length of a scan line, in the unit of `echo.loss_db`.
        axial: see `speckle`.
        lateral: see `speckle`.
        gain_db: (samples,) gain over depth, dB.
        floor_db: level of the electronic noise before the gain over depth, dB.
        electronic: (samples, lines) unit complex Gaussian noise of the receiver.

    Returns:
        (samples, lines) float32, dB.
    """
    step = reach / echo.loss_db.shape[0]
    level = gain_db.astype(np.float32)[:, None] - np.cumsum(echo.loss_db, axis=0) * np.float32(step)
    diffuse = np.power(np.float32(10), (echo.scatter_db + level) / 20) * noise
    coherent = echo.mirror * np.power(np.float32(10), level / 20)
    field = speckle(diffuse, axial, lateral) + coherent
    field += np.power(np.float32(10), (np.float32(floor_db) + gain_db.astype(np.float32)[:, None]) / 20) * electronic
    return 20 * np.log10(np.abs(field) + np.float32(1e-6))
