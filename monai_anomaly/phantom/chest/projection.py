# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Physics of the generated radiograph: how much of what each ray passes, and what of it reaches the detector.

Rays are parallel, of one energy; beside the attenuation (Lambert and Beer) there are scatter, the blur of the detector
and quantum noise. Ours because the kept libraries that project (gVirtualXray, DeepDRR) want meshes or CT volumes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from monai_anomaly.phantom.chest.anatomy import Array, Chest, Ellipse, Field, Stroke, Trunk

__all__ = ["BONE", "SOFT", "Paths", "expose", "project"]

SOFT = 0.20
"""Attenuation of soft tissue and water per cm at about 65 keV."""
BONE = 0.50


@dataclass(frozen=True)
class Paths:
    """Centimeters that each ray passes, (rows, columns) each.

    Args:
        body: within the body.
        air: within the air of lungs, airways and bowel, as if it held no tissue.
        lung: of `air`, what is in the lungs.
        bone: of `body`, bone.
    """

    body: Array
    air: Array
    lung: Array
    bone: Array

    def attenuation(self) -> Array:
        """Return the line integral of the attenuation."""
        return SOFT * (self.body - self.air) + (BONE - SOFT) * self.bone


def project(field: Field, trunk: Trunk, chest: Chest) -> Paths:
    """Return the paths through a normal case."""
    x, y = field.grid
    texture = [field.stretch(nodes) for nodes in chest.texture]
    body = _body(trunk, x, y)
    body += np.float32(0.35) * texture[0] * np.minimum(body / 8, 1)
    lung = np.minimum(_lung(chest, x, y), np.maximum(body - 2, 0))
    vessels = _vessels(chest.vessels, field)
    tissue = np.float32(chest.density) * (1 + np.float32(0.06) * texture[1]) * lung
    lung = np.maximum(lung - tissue - np.minimum(vessels, 0.6 * lung), 0)
    airways = _airways(chest, x, y)
    for bubble in chest.gas:
        airways = np.maximum(airways, bubble.path(x, y))
    bone = np.minimum(_ribs(chest, x, y) + _spine(chest, x, y) + _shoulders(chest, x, y), 0.6 * body)
    air = np.minimum(lung + airways, np.maximum(body - 1, 0))
    return Paths(body.astype(np.float32), air, lung, bone.astype(np.float32))


def _body(trunk: Trunk, x: Array, y: Array) -> Array:
    """Trunk, neck and shoulders; 0 where rays pass the body by."""
    away = np.abs(x)
    shoulder = np.float32(trunk.shoulder) + np.float32(trunk.slope) * np.maximum(away - 6, 0)
    shoulder -= 3 * np.maximum(6.5 - away, 0)  # the neck
    below = np.maximum(y - shoulder, 0)
    width = np.float32(trunk.half_width) + 0.8 * np.logaddexp(0, np.float32(9.5) - y)  # shoulders are wider
    depth = np.float32(trunk.depth) * (0.62 + 0.38 / (1 + np.exp((5 - y) / 2)))
    across = np.sqrt(np.maximum(1 - (away / width) ** 2.8, 0))
    path = np.minimum(depth * across, 5.5 * np.sqrt(below))
    for side in (-1, 1):
        if trunk.breast:
            path = path + Ellipse(side * 8.2, 18.5, 6.2, 5.2, -0.2 * side, trunk.breast).path(x, y) * (path > 0)
    return path


def _lung(chest: Chest, x: Array, y: Array) -> Array:
    """Return what the lungs take, with the heart, the mediastinum and the abdomen taken out."""
    away = np.abs(x)
    _, depth, apex = chest.cage
    inner = np.float32(4.5)
    outer = chest.half_width(y)
    across = np.clip((away - inner) / np.maximum(outer - inner, 0.1), 0, 1)
    room = np.float32(depth) * np.sqrt(1 - across**2.4) * (0.55 + 0.45 / (1 + np.exp((7 - y) / 2)))
    over = y - np.float32(apex) - np.float32(0.10) * (away - 4.8) ** 2
    room = room * np.sqrt(np.clip(over / 4, 0, 1)) * (away < outer)

    low = np.clip((y - 6) / 14, 0, 1)
    half = np.float32(chest.column[0]) * (1 - low) + np.float32(chest.column[1]) * low
    taken = 0.95 * room * np.sqrt(np.maximum(1 - np.abs(x / half) ** 2.5, 0))
    for organ in chest.organs:
        taken = np.maximum(taken, organ.path(x, y))
    under = np.maximum(y - chest.dome(x), 0)
    abdomen = 2 * np.sqrt(under * (12 + under))
    behind = 0.16 * np.clip(1 - under / 4, 0, 1)  # lung behind the dome
    return np.maximum(room - np.maximum(taken, np.minimum(abdomen, (1 - behind) * room)), 0)


def _airways(chest: Chest, x: Array, y: Array) -> Array:
    """Trachea and main bronchi."""
    offset, fork = (np.float32(value) for value in chest.trachea)
    past = np.maximum(y - fork, 0)
    radius = np.where(past > 0, np.float32(0.65), np.float32(0.9))
    aside = np.minimum(np.abs(x - offset - 0.9 * past), np.abs(x - offset + 0.7 * past))
    return 2 * np.sqrt(np.maximum(radius**2 - aside**2, 0)) * (past < 3)


def _vessels(strokes: tuple[Stroke, ...], field: Field) -> Array:
    """Paths through vessels, each worked out in the box around it only."""
    x, y = field.grid
    paths = np.zeros_like(x)
    to_row = 1 / field.pixel_cm
    left, top = float(x[field.rows // 2, 0]), float(y[0, field.columns // 2])
    slack = 1.0 + abs(field.turn) * 20  # the boxes are upright
    for s in strokes:
        rows = np.s_[_pixel(min(s.y0, s.y1) - slack - top, to_row) : _pixel(max(s.y0, s.y1) + slack - top, to_row)]
        columns = np.s_[_pixel(min(s.x0, s.x1) - slack - left, to_row) : _pixel(max(s.x0, s.x1) + slack - left, to_row)]
        dx, dy = x[rows, columns] - np.float32(s.x0), y[rows, columns] - np.float32(s.y0)
        ax, ay = np.float32(s.x1 - s.x0), np.float32(s.y1 - s.y0)
        along = np.clip((dx * ax + dy * ay) / (ax**2 + ay**2), 0, 1)
        aside = (dx - along * ax) ** 2 + (dy - along * ay) ** 2
        chord = 2 * np.sqrt(np.maximum(np.float32(s.radius**2) - aside, 0))
        paths[rows, columns] = np.maximum(paths[rows, columns], chord)
    return paths


def _pixel(distance: float, per_cm: float) -> int:
    return max(round(distance * per_cm), 0)


def _ribs(chest: Chest, x: Array, y: Array) -> Array:
    """Bone in the ribs: hoops that start at the spine, run downward to the front and end before the sternum."""
    half, bone, drop = chest.rib
    outer = chest.half_width(y) + np.float32(0.5)
    share = np.abs(x) / np.maximum(outer, 1)
    cos = np.sqrt(np.maximum(1 - share**2, 0))
    steep = 1 / np.maximum(cos, 0.5)
    inside = share < 1
    behind = _hoops(chest, y - np.float32(drop / 2) * (1 - cos), half) * inside * steep
    front = _hoops(chest, y - np.float32(drop / 2) * (1 + cos), 1.1 * half) * inside * steep
    front *= 1 / (1 + np.exp((0.58 - share) / 0.03))
    return np.float32(bone) * (behind + 0.8 * front)


def _hoops(chest: Chest, head: Array, half: float) -> Array:
    """0.8 on a rib, up to 1.8 at its dense rims, 0 between; `head` is the y where a rib through here would start."""
    heads = chest.ribs
    index = np.clip(np.rint(np.interp(head, heads, np.arange(len(heads)))), 0, len(heads) - 1).astype(np.intp)
    aside = np.abs(head - heads[index]) / np.float32(half)
    return np.clip((1 - aside) / 0.12, 0, 1) * (0.8 + 1.0 * aside**3)


def _spine(chest: Chest, x: Array, y: Array) -> Array:
    """Vertebrae with dark disks between them and bright pedicles."""
    offset, curve, phase, length = chest.spine
    aside = np.abs(x - np.float32(offset) - np.float32(curve) * (y - 14) ** 2)
    turn = 2 * np.pi * y / np.float32(length) + np.float32(phase)
    level = 0.75 + 0.25 * np.tanh(3 * np.cos(turn) + 1.2)
    body = np.clip((1.75 - aside) / 0.25, 0, 1) * level * 1.2
    pedicles = 0.6 * np.exp(-(((aside - 1.0) / 0.3) ** 2)) * np.maximum(np.cos(turn - 0.5), 0) ** 4
    return body + pedicles


def _shoulders(chest: Chest, x: Array, y: Array) -> Array:
    """Clavicles, shoulder blades and heads of the arms."""
    away = np.abs(x)
    left = x > 0
    right_clavicle, left_clavicle, radius = chest.clavicles
    start = np.where(left, np.float32(left_clavicle[0]), np.float32(right_clavicle[0]))
    slope = np.where(left, np.float32(left_clavicle[1]), np.float32(right_clavicle[1]))
    past = away - np.float32(1.7)
    middle = start - slope * past + 0.55 * np.sin(past * 0.5)
    thick = np.float32(radius) * (1 + 0.5 * np.exp(-past))
    aside = np.minimum(np.abs(y - middle) / thick, 1)
    clavicle = 2.2 * np.sqrt(1 - aside**2) * (0.6 + 0.4 * aside**2) * np.clip(past / 0.3, 0, 1) * (past < 13.5)

    inner = np.where(left, np.float32(chest.shoulder_blades[1]), np.float32(chest.shoulder_blades[0]))
    sides = (away - inner - 0.16 * (y - 3), (y - 2.5) + 0.2 * (away - 11), inner + 7.5 - away - 0.36 * (y - 3))
    depth = np.minimum(np.minimum(sides[0], sides[1]), sides[2])
    blade = 0.35 * np.clip(depth / 0.3, 0, 1) + 0.3 * np.exp(-(((depth - 0.3) / 0.3) ** 2))
    arm = Ellipse(18.3, 5.0, 2.4, 2.5, 0.0, 1.6).path(away, y)
    shaft = 1.0 * np.clip((1.3 - np.abs(away - 19.2 - 0.12 * (y - 6))) / 0.3, 0, 1) * (y > 6)
    return clavicle + np.where(y < 16, blade, 0) + np.maximum(arm, shaft)


def expose(
    attenuation: Array, rng: np.random.Generator, *, photons: float, scatter: float, blur: float, pixel_cm: float
) -> Array:
    """Return what a computed radiography plate reads, as the logarithm of the dose: white where little arrives.

    Args:
        attenuation: (rows, columns) line integral.
        rng: for the quantum noise.
        photons: detected per pixel without a body.
        scatter: scattered over primary dose behind an even body.
        blur: standard deviation of the plate's blur in pixels.
        pixel_cm: side of a pixel; scatter spreads by about 4 cm.

    Returns:
        (rows, columns) float32: the negative natural logarithm of the dose relative to that without a body.
    """
    primary = np.exp(-attenuation)
    source = primary * np.minimum(attenuation, 1)  # none from rays that pass the body by
    shape = source.shape[1], source.shape[0]
    small = np.asarray(Image.fromarray(source).resize((48, 48), Image.Resampling.BOX))
    wide = gaussian_filter(small, 4 / (pixel_cm * source.shape[0] / 48), mode="nearest")
    scattered = np.asarray(Image.fromarray(wide).resize(shape, Image.Resampling.BICUBIC))
    dose = gaussian_filter(primary + np.float32(scatter) * np.maximum(scattered, 0), blur)
    noise = np.sqrt(dose / np.float32(photons)) * rng.standard_normal(dose.shape, dtype=np.float32)
    return -np.log(np.maximum(dose + noise, np.float32(1e-5)))
