# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from monai_anomaly.networks.nets.consensus.member_view import INTENSITIES, MemberView, resizing_matrix
from monai_anomaly.transforms.preprocessing import Preprocessing, resize_image


@pytest.fixture
def picture(tmp_path):
    """Return the file of a color picture with edges and noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:150, :170]
    disks = [255 * ((rows - r) ** 2 + (columns - c) ** 2 < 1500) for r, c in ((50, 40), (90, 100), (60, 120))]
    Image.fromarray(np.clip(np.stack(disks, -1) + rng.normal(0, 40, (150, 170, 3)), 0, 255).astype(np.uint8)).save(
        tmp_path / "a.png"
    )
    return {"image": str(tmp_path / "a.png")}


@pytest.mark.parametrize("intensity", INTENSITIES)
@pytest.mark.parametrize(("common", "own"), [(1, 1), (3, 1), (3, 3), (1, 3)])
def test_at_equal_sizes_a_member_sees_what_it_sees_alone(picture, intensity, common, own):
    if (common, own) == (1, 3):  # a gray picture in color: every member is gray but one
        gray = Image.open(picture["image"]).convert("L")
        gray.save(picture["image"])
    seen = Preprocessing(48, common)(picture)["image"][None]
    expected = Preprocessing(48, own, intensity=intensity)(picture)["image"]
    view = MemberView(48, common, 48, own, intensity)
    torch.testing.assert_close(view(seen)[0], expected, rtol=1e-4, atol=1e-4)


def test_a_picture_that_is_resized_twice_is_as_blurred_as_one_that_is_resized_once(picture):
    seen, expected = (Preprocessing(size)(picture)["image"] for size in (64, 32))
    ours = MemberView(64, 1, 32, 1, "none")(seen[None])[0]
    usual = resize_image(seen, (32, 32))
    errors = [float((found - expected).square().mean().sqrt()) for found in (ours, usual)]
    assert errors[0] < 0.4 * errors[1]


def test_the_resizing_keeps_constants_and_places():
    weights = resizing_matrix(96, 36)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(36))
    centers = (torch.arange(36) + 0.5) * 96 / 36 - 0.5
    inner = slice(2, -2)  # at the edge half of a filter is missing
    torch.testing.assert_close((weights @ torch.arange(96.0))[inner], centers[inner], rtol=0, atol=0.02)
    assert torch.equal(resizing_matrix(7, 7), torch.eye(7))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="image_size must be at most 32, got 64"):
        MemberView(32, 1, 64, 1, "none")
    with pytest.raises(ValueError, match="intensity must be one of none, zscore, percentile, got 'log'"):
        MemberView(32, 1, 32, 1, "log")
