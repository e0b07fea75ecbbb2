# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Labels, scores and patients as arrays, or one clear sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["ScoreTable", "check_scores", "one_class_reason"]


class ScoreTable(NamedTuple):
    """One test set: all arrays of shape ``(N,)``."""

    positive: npt.NDArray[np.bool_]
    """True for abnormal."""
    scores: npt.NDArray[np.float64]
    """Finite, not all equal."""
    codes: npt.NDArray[np.intp]
    """Number of each image's group (patient), 0 to G - 1."""


def check_scores(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> ScoreTable:
    """Check what every image-level metric takes; a set with one class passes, see :func:`one_class_reason`.

    Args:
        labels: 0 normal, 1 abnormal, shape ``(N,)``.
        scores: image scores, higher = more anomalous, shape ``(N,)``.
        groups: patient of each image; ``None`` makes every image its own group.
        names: names of the images, for error messages only.

    Raises:
        ValueError: when the lengths differ, there are no images, a label is neither 0 nor 1, a score is not finite, or
            all scores (of two or more images) are equal: a constant is no answer, and no number about it means any.
    """
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or (names is not None and len(names) != len(s)):
        raise ValueError(f"labels, scores and names must be one value per image, got shapes {y.shape} and {s.shape}.")
    if groups is not None and len(groups) != len(y):
        raise ValueError(f"groups must have one entry per image, got {len(groups)} for {len(y)} images.")
    if len(y) == 0:
        raise ValueError("The test set holds no images (0), so that every metric is undefined. Add test images.")
    strange = ~np.isin(y, (0, 1))
    if strange.any():
        raise ValueError(f"Labels must be 0 (normal) or 1 (abnormal), got {y[strange][0]!r}.")
    _check_finite(s, names)
    if len(s) > 1 and s.min() == s.max():
        raise ValueError(
            f"All {len(s)} scores are equal ({s[0]:g}), so that every metric is undefined: the detector does not look "
            "at the images. Look at whether it was trained, and at its maps."
        )
    return ScoreTable(y.astype(bool), s, np.arange(len(y)) if groups is None else _codes(groups))


def one_class_reason(positive: npt.NDArray[np.bool_]) -> str:
    """Why a metric that needs both classes is undefined, or an empty text."""
    if positive.all():
        return f"the test set holds only abnormal images ({len(positive)})"
    return "" if positive.any() else f"the test set holds only normal images ({len(positive)})"


def _check_finite(s: npt.NDArray[np.float64], names: Sequence[str] | None) -> None:
    bad = np.flatnonzero(~np.isfinite(s))
    if len(bad):
        who = f"'{names[bad[0]]}'" if names is not None else f"number {bad[0]} (counting from 0)"
        raise ValueError(
            f"The score of image {who} is {s[bad[0]]}, and {len(bad)} of {len(s)} scores are not finite, so that no "
            "metric is defined. Look at that image and at whether training diverged."
        )


def _codes(groups: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return a number for each group, in order of first appearance: names may be hashes, which differ by site."""
    numbers: dict[str, int] = {}
    return np.asarray([numbers.setdefault(str(group), len(numbers)) for group in groups], dtype=np.intp)
