# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Simple statistics of images, which say much of the machine and little of a disease; the pool check compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from monai_anomaly.guard.picture_features import flat_shares
from monai_anomaly.transforms.sharpness import sharpness

__all__ = ["NO_DISEASE", "ORIGINS", "image_statistics", "origin_statistics", "picture_statistics", "year_statistics"]

ORIGINS = {"device_hash": "device", "file_format": "file format", "photometric": "color model", "modality": "modality"}
"""What may be known of where a picture comes from: the key of an item, and its name."""

NO_DISEASE = frozenset(("picture height", "picture width", "aspect ratio", "picture size", "year", *ORIGINS.values()))
"""Names of statistics that no disease changes."""

UNKNOWN = "unknown"
BATCH = 128
BORDER = 16
"""A border is a sixteenth of the image's sides wide."""
SMALLEST = 1e-6
NOISE_KERNEL = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))


def image_statistics(images: Tensor) -> dict[str, npt.NDArray[np.float64]]:
    """Return statistics of images as the network gets them, by name, each ``(N,)``.

    Each is in units of the image's own standard deviation, or free of units, so that it says the same of images whose
    intensity was normalized. ``noise`` is the median response to a second difference in both directions (Immerkaer,
    1996), 0 where most of an image is flat; ``gray-value skewness`` the third moment, which gamma changes; the border
    is a sixteenth of the sides wide.

    Args:
        images: float32 ``(N, C, H, W)``, finite.
    """
    parts = [_measure(part.detach().float().cpu()) for part in images.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]).double().numpy() for name in parts[0]}


def _measure(images: Tensor) -> dict[str, Tensor]:
    gray = images.mean(1)
    mean, spread = gray.mean((1, 2)), gray.flatten(1).std(1, correction=0).clamp_min(SMALLEST)
    unit = (gray - mean[:, None, None]) / spread[:, None, None]
    darkest, brightest = flat_shares(images)
    kernel = torch.tensor(NOISE_KERNEL)[None, None] / 6
    ring = _ring(gray.shape[1], gray.shape[2])
    border = unit[:, ring]
    return {
        "sharpness": sharpness(images),
        "noise": F.conv2d(unit[:, None], kernel).flatten(1).abs().median(1).values,
        "gray-value skewness": unit.pow(3).mean((1, 2)),
        "share of darkest pixels": darkest,
        "share of brightest pixels": brightest,
        "brightness of the border": border.mean(1),
        "detail in the border": border.std(1, correction=0),
    }


def _ring(rows: int, columns: int) -> Tensor:
    """Return where the border is, bool ``(rows, columns)``."""
    high, wide = max(1, rows // BORDER), max(1, columns // BORDER)
    ring = torch.ones(rows, columns, dtype=torch.bool)
    ring[high : rows - high, wide : columns - wide] = False
    return ring


def picture_statistics(items: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[np.float64]]:
    """Return statistics of the files' own pixels, before any resizing, by name, each ``(N,)``; empty where unknown.

    Args:
        items: with the :mod:`~monai_anomaly.data.picture_facts` of each; one picture without them leaves all out.
    """
    if not all(item.get("rows") and item.get("columns") for item in items):
        return {}
    rows, columns, mean, std, zero, step, colored = (
        np.array([float(item.get(key, 0.0)) for item in items])
        for key in ("rows", "columns", "gray_mean", "gray_std", "gray_zero", "gray_step", "colored")
    )
    return {
        "picture height": rows,
        "picture width": columns,
        "aspect ratio": rows / columns,
        "brightness": mean,
        "contrast": std,
        "share of black pixels": zero,
        "sharpness of the file": step / np.maximum(std, SMALLEST),
        "share of colored pixels": colored,
    }


def year_statistics(origins: Sequence[Mapping[str, Any]]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the year of each, ``(N,)``, by name; empty where that of a picture is not known.

    Args:
        origins: with ``year``, where known.
    """
    years = np.array([float(origin.get("year") or 0) for origin in origins])
    return {"year": years} if years.all() else {}


def origin_statistics(items: Sequence[Mapping[str, Any]]) -> tuple[dict[str, list[str]], list[str]]:
    """Return what is known of where pictures come from, by name, N texts each; and the names of what is not known.

    The picture's size counts as an origin, too: a machine has a few sizes, neither the smallest nor the largest.

    Args:
        items: with ``rows``, ``columns`` and the keys of :data:`ORIGINS`, where known.
    """
    found, unknown = {}, []
    if all(item.get("rows") and item.get("columns") for item in items):
        found["picture size"] = [f"{item['rows']} x {item['columns']}" for item in items]
    for key, name in ORIGINS.items():
        values = [str(item.get(key) or "") for item in items]
        if any(values):
            found[name] = [value or UNKNOWN for value in values]
        else:
            unknown.append(name)
    return found, unknown
