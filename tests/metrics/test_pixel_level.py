# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from skimage.measure import label
from sklearn.metrics import average_precision_score, roc_auc_score

from monai_anomaly.metrics.pixel_level import pixel_level


def _case(seed: int, n: int = 6, decimals: int = 9, dtype=np.float64):
    """Return maps that know something of blobby masks; every other image is normal."""
    random = np.random.default_rng(seed)
    masks = np.zeros((n, 12, 10), bool)
    for i in range(0, n, 2):
        for _ in range(3):
            y, x = random.integers(0, 9, 2)
            masks[i, y : y + random.integers(1, 5), x : x + random.integers(1, 4)] = True
    masks[0, 0, 0] = masks[0, 1, 1] = True  # joined by a corner
    return np.round(random.normal(size=masks.shape) + masks, decimals).astype(dtype), masks


def _slow_pro(maps, masks, limit=0.3):
    """The definition, region by region and threshold by threshold; the line to the limit by hand."""
    regions = [(i, found == k) for i, m in enumerate(masks) for found in [label(m, connectivity=2)]
               for k in range(1, found.max() + 1)]  # fmt: skip
    points = [(0.0, 0.0)]
    for threshold in sorted(set(maps.ravel().tolist()), reverse=True):
        found = maps >= threshold
        false_positives = float((found & ~masks).sum() / (~masks).sum())
        points.append((false_positives, float(np.mean([found[i][region].mean() for i, region in regions]))))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit or x1 == x0:
            continue
        cut = min(x1, limit)
        area += (cut - x0) * (y0 + y0 + (y1 - y0) * (cut - x0) / (x1 - x0)) / 2
    return area / limit, len(regions)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decimals", [9, 1, 0])  # 0: nearly all values tied
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_scikit_learn_and_the_slow_forms(seed, decimals, dtype):
    maps, masks = _case(seed, decimals=decimals, dtype=dtype)
    result = pixel_level(maps, masks, threshold=0.7)
    y, s = masks.ravel(), maps.ravel()
    assert result["pixel_auroc"]["value"] == pytest.approx(roc_auc_score(y, s), abs=1e-9)
    assert result["pixel_average_precision"]["value"] == pytest.approx(average_precision_score(y, s), abs=1e-9)
    pro, n_regions = _slow_pro(maps, masks)
    assert result["pro"]["value"] == pytest.approx(pro, abs=1e-9)
    assert result["n_regions"] == n_regions
    assert (result["n_images"], result["n_abnormal"]) == (6, 3)
    dice = []
    for found, mask in zip(maps[::2] >= np.asarray(0.7, dtype), masks[::2], strict=True):
        dice.append(2 * (found & mask).sum() / (found.sum() + mask.sum()))
    assert result["dice"]["value"] == pytest.approx(np.mean(dice), abs=1e-12)
    hits = [mask.ravel()[np.flatnonzero(m == m.max())].mean() for m, mask in zip(maps[::2], masks[::2], strict=True)]
    assert result["pointing_game"]["value"] == pytest.approx(np.mean(hits), abs=1e-12)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_perfect_map_is_perfect():
    _, masks = _case(3)
    result = pixel_level(masks.astype(np.float32), masks, threshold=0.5)
    for name in ("pixel_auroc", "pixel_average_precision", "pro", "dice", "pointing_game"):
        assert result[name]["value"] == pytest.approx(1.0), name


def test_a_flat_curve_of_one_step_has_half_of_the_limit_as_pro():
    """All pixels above 0 at once: overlap equals the false-positive rate, so that PRO is .3 / 2."""
    masks = np.zeros((1, 10, 10), bool)
    masks[0, :5] = True
    maps = np.tile(np.r_[np.ones(5), np.zeros(5)], (1, 10, 1))  # half of the mask and half of the rest
    assert pixel_level(maps, masks)["pro"]["value"] == pytest.approx(0.15)


def test_regions_of_two_images_are_two():
    masks = np.zeros((2, 4, 4), bool)
    masks[:, 1:3, 1:3] = True
    assert pixel_level(np.random.default_rng(0).normal(size=(2, 4, 4)), masks)["n_regions"] == 2


def test_small_and_large_regions_count_the_same():
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 0, 0] = masks[0, 5:15, 5:15] = True
    only_the_small = np.zeros((1, 20, 20))
    only_the_small[0, 0, 0] = 1
    straight = 0.5 + (1 - 0.5) * 0.15  # from (0, 1/2) to (1, 1)
    assert pixel_level(only_the_small, masks)["pro"]["value"] == pytest.approx(straight)


def test_intervals_of_image_wise_means_are_over_patients():
    maps, masks = _case(4, n=40)
    by_image = pixel_level(maps, masks, threshold=0.7)["dice"]
    by_patient = pixel_level(maps, masks, threshold=0.7, groups=[f"p{i // 8}" for i in range(40)])["dice"]
    assert by_image["value"] == by_patient["value"]
    assert by_image["interval"][0] < by_image["value"] < by_image["interval"][1]
    assert by_image["interval"] != by_patient["interval"]
    assert pixel_level(maps, masks, threshold=0.7, groups=["p"] * 40)["dice"]["reason"].startswith("no interval")


def test_what_is_not_defined_has_a_reason_and_no_number():
    maps, masks = _case(5)
    every = ("pixel_auroc", "pixel_average_precision", "pro", "dice", "pointing_game")
    for result, reason in (
        (pixel_level(maps, np.zeros_like(masks), threshold=1.0), "no image has a mask"),
        (pixel_level(maps, np.ones_like(masks), threshold=1.0), "every pixel"),
        (pixel_level(np.ones_like(maps), masks, threshold=1.0), "all map values are equal"),
    ):
        for name in every:
            assert result[name]["value"] is None and reason in result[name]["reason"]
    result = pixel_level(maps, masks)
    assert result["dice"] == {"value": None, "interval": None, "reason": "no threshold was given"}
    assert result["pro"]["value"] is not None


def test_bad_input_is_one_clear_sentence():
    maps, masks = _case(6)
    with pytest.raises(ValueError, match=r"one shape .*\(6, 12, 10\) and \(6, 12, 9\)"):
        pixel_level(maps, masks[:, :, :-1])
    with pytest.raises(ValueError, match="one shape"):
        pixel_level(maps[0], masks[0])
    with pytest.raises(ValueError, match="one shape"):
        pixel_level(maps[:0], masks[:0])
    with pytest.raises(ValueError, match="groups must have one entry per image"):
        pixel_level(maps, masks, groups=["p"])
    with pytest.raises(ValueError, match=r"0 \(normal\) and 1"):
        pixel_level(maps, masks * 255)
    with pytest.raises(ValueError, match="threshold is nan"):
        pixel_level(maps, masks, threshold=np.nan)
    for bad in (np.nan, np.inf):
        maps[2, 3, 4] = bad
        with pytest.raises(ValueError, match="1 of 6 maps are not finite, the first is number 2"):
            pixel_level(maps, masks)
