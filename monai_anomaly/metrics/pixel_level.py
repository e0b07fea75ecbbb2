# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How well anomaly maps point at what is wrong in an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import auc

from monai_anomaly.metrics.bootstrap import mean_measure
from monai_anomaly.metrics.intervals import measure, undefined

__all__ = ["MAX_FALSE_POSITIVE_RATE", "pixel_level"]

MAX_FALSE_POSITIVE_RATE = 0.3
"""Up to where the per-region overlap is averaged."""

Floats = npt.NDArray[np.float64]


def pixel_level(
    maps: npt.ArrayLike,
    masks: npt.ArrayLike,
    *,
    threshold: float | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    n_bootstrap: int = 1000,
) -> dict[str, Any]:
    """Pixel ROC AUC, average precision, per-region overlap, Dice and pointing game of a test set's maps.

    Maps enter as the network gives them, on its one scale for all images; a map rescaled by itself would make
    thresholds, and every number here, depend on the image.

    Pixels of all images are put together; those of normal images are negatives. The per-region overlap (PRO) is the
    mean over regions of the share of a region's pixels that a threshold finds, averaged over the false-positive rates
    0 to 30 % of all pixels outside of masks, so that 1 is perfect. Regions are the connected components of
    a mask, diagonal neighbors included. It is exact: all thresholds, straight lines between them.

    Args:
        maps: raw anomaly maps, higher = more anomalous, shape ``(N, H, W)``.
        masks: where images are abnormal, of the maps' size, shape ``(N, H, W)``, bool or 0 and 1; nothing in normal
            images. Abnormal images without a mask must be left out.
        threshold: map value at which a pixel is called abnormal (``map >= threshold``), for Dice.
        groups: patient of each image, for intervals; ``None`` makes every image its own group.
        seed: seed of the resampling.
        n_bootstrap: number of resamples.

    Returns:
        A measure is ``{"value", "interval", "reason"}``, see
        :func:`monai_anomaly.metrics.operating_points.operating_points`.

        - ``pixel_auroc``, ``pixel_average_precision``, ``pro``: measures without intervals.
        - ``dice``: measure: mean over the abnormal images of the Dice overlap at the threshold.
        - ``pointing_game``: measure: share of the abnormal images whose highest map value lies in the mask; of several
          positions with that value, the share that does.
        - ``threshold`` (as given), ``n_images``, ``n_abnormal`` (images with a mask), ``n_regions``,
          ``abnormal_pixels`` (share of all pixels).

    Raises:
        ValueError: when maps and masks differ in shape or are not ``(N, H, W)``, a map value is not finite, a mask has
            values other than 0 and 1, `groups` another length, or the threshold is NaN.
    """
    map_values, marked = _checked(maps, masks, groups, threshold)
    abnormal = marked.any(axis=(1, 2))
    regions, n_regions = _regions(marked)
    why = _undefined(map_values, marked)
    curve = None if why else _curve(map_values, marked, regions, n_regions)

    def mean(values: Floats) -> dict[str, Any]:
        names = np.arange(len(map_values)) if groups is None else np.asarray(groups, dtype=str)
        codes = np.unique(names[abnormal], return_inverse=True)[1].reshape(-1)
        return mean_measure(values, codes, seed=seed, n_bootstrap=n_bootstrap)

    no_dice = why or ("" if threshold is not None else "no threshold was given")
    return {
        "pixel_auroc": undefined(why) if curve is None else _without_interval(_auroc(curve)),
        "pixel_average_precision": undefined(why) if curve is None else _without_interval(_average_precision(curve)),
        "pro": undefined(why) if curve is None else _without_interval(_pro(curve)),
        "dice": undefined(no_dice) if no_dice else mean(_dice(map_values[abnormal] >= threshold, marked[abnormal])),
        "pointing_game": undefined(why) if why else mean(_pointing(map_values[abnormal], marked[abnormal])),
        "threshold": None if threshold is None else float(threshold),
        "n_images": len(map_values),
        "n_abnormal": int(abnormal.sum()),
        "n_regions": n_regions,
        "abnormal_pixels": float(marked.mean()),
    }


class _Curve(NamedTuple):
    """Cumulative shares at each distinct map value, falling, each ``(K + 1,)`` from 0 to 1."""

    abnormal: Floats
    normal: Floats
    overlap: Floats
    share: float
    """Abnormal pixels among all."""


def _checked(
    maps: npt.ArrayLike, masks: npt.ArrayLike, groups: Sequence[str] | None, threshold: float | None
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    map_values, marked = np.asarray(maps), np.asarray(masks)
    if map_values.ndim != 3 or map_values.size == 0 or map_values.shape != marked.shape:
        raise ValueError(
            f"Maps and masks must have one shape (N, H, W), got {map_values.shape} and {marked.shape}; bring each mask "
            "to the size of the maps with the preprocessing of its image."
        )
    if groups is not None and len(groups) != len(map_values):
        raise ValueError(f"groups must have one entry per image, got {len(groups)} for {len(map_values)} images.")
    bad = np.flatnonzero(~np.isfinite(map_values).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(map_values)} maps are not finite, the first is number {bad[0]} (counting from 0), so "
            "that no metric is defined. Look at that image and at whether training diverged."
        )
    if threshold is not None and np.isnan(threshold):
        raise ValueError("The threshold is nan; calibrate anew.")
    if marked.dtype != bool and not np.isin(marked, (0, 1)).all():
        raise ValueError("Masks must be bool, or 0 (normal) and 1 (abnormal).")
    return map_values if map_values.dtype == np.float32 else map_values.astype(np.float64), marked.astype(bool)


def _undefined(map_values: npt.NDArray[Any], marked: npt.NDArray[np.bool_]) -> str:
    if not marked.any():
        return "no image has a mask with an abnormal pixel"
    if marked.all():
        return "every pixel is abnormal"
    return "all map values are equal" if map_values.min() == map_values.max() else ""


def _regions(marked: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[Any], int]:
    """Return number of each pixel's region, 0 outside, ``(N, H, W)``; and how many regions there are."""
    plane = np.zeros((3, 3, 3), bool)
    plane[1] = True  # neighbors, diagonal ones too, within an image and not across images
    labeled, n_regions = ndimage.label(marked, structure=plane)
    return labeled, int(n_regions)


def _curve(
    map_values: npt.NDArray[Any], marked: npt.NDArray[np.bool_], regions: npt.NDArray[Any], n_regions: int
) -> _Curve:
    """One sort for all three areas."""
    values, positive, region = map_values.ravel(), marked.ravel(), regions.ravel()
    order = np.argsort(values)[::-1]
    ordered, hit = values[order], positive[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    size = np.bincount(region, minlength=n_regions + 1).astype(np.float64)
    weight = np.where(np.arange(n_regions + 1) > 0, 1 / np.maximum(size, 1) / n_regions, 0.0)
    tp = np.r_[0, np.cumsum(hit)[last]].astype(np.float64)
    fp = np.r_[0, last + 1] - tp
    overlap = np.r_[0.0, np.cumsum(weight[region[order]])[last]]
    return _Curve(tp / tp[-1], fp / fp[-1], overlap, float(tp[-1] / len(values)))


def _auroc(c: _Curve) -> float:
    return float(auc(c.normal, c.abnormal))


def _average_precision(c: _Curve) -> float:
    tp, fp = c.abnormal[1:] * c.share, c.normal[1:] * (1 - c.share)
    return float(np.sum(np.diff(c.abnormal) * tp / (tp + fp)))


def _pro(c: _Curve) -> float:
    """Area under overlap over false-positive rate, up to the limit."""
    end = int(np.searchsorted(c.normal, MAX_FALSE_POSITIVE_RATE, side="right"))
    at_limit = np.interp(MAX_FALSE_POSITIVE_RATE, c.normal, c.overlap)
    x = np.r_[c.normal[:end], MAX_FALSE_POSITIVE_RATE]
    return float(auc(x, np.r_[c.overlap[:end], at_limit]) / MAX_FALSE_POSITIVE_RATE)


def _dice(flagged: npt.NDArray[np.bool_], marked: npt.NDArray[np.bool_]) -> Floats:
    """Dice overlap of each image, ``(N,)``; masks are not empty."""
    both = (flagged & marked).sum(axis=(1, 2))
    return np.asarray(2 * both / (flagged.sum(axis=(1, 2)) + marked.sum(axis=(1, 2))))


def _pointing(map_values: npt.NDArray[Any], marked: npt.NDArray[np.bool_]) -> Floats:
    """Share of the positions with an image's highest value that lie in its mask, ``(N,)``."""
    top = map_values == map_values.max(axis=(1, 2), keepdims=True)
    return np.asarray((top & marked).sum(axis=(1, 2)) / top.sum(axis=(1, 2)))


def _without_interval(value: float) -> dict[str, Any]:
    return measure(value, None, "no interval: pixels are not resampled")
