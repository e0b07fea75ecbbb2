# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from monai_anomaly.transforms.foreign_patch import DrawForeignPatches, ForeignPatch, RandForeignPatch

MANY = 20000


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def extremes(values: torch.Tensor) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def test_published_squares_at_64_pixels() -> None:
    draw = DrawForeignPatches()((MANY, 1, 64, 64), seeded(0))
    assert torch.equal(draw.height, draw.width)
    assert draw.height.unique().tolist() == list(range(6, 25, 2))  # never clipped: no odd or smaller side
    for start in (draw.top, draw.left):
        assert (start + draw.height // 2).unique().tolist() == list(range(12, 51))
        assert start.min() == 0 and (start + draw.height).max() == 62
    assert draw.present.all()
    assert (draw.donor != torch.arange(MANY)).all()
    assert 0.0 <= draw.alpha.min() < 0.001 and 0.999 < draw.alpha.max() <= 1.0
    assert draw.alpha.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("side", [32, 50, 100, 224])
def test_squares_scale_with_the_image(side: int) -> None:
    draw = DrawForeignPatches()((MANY, 1, side, side), seeded(1))
    half = draw.height // 2
    assert torch.equal(draw.height, 2 * half)
    assert half.min() == round(0.05 * side) and half.max() == round(0.2 * side) - 1
    center = draw.top + half
    assert extremes(center) == (int(0.2 * side + 1e-9), int(0.8 * side + 1e-9) - 1)


def test_oblong_images() -> None:
    draw = DrawForeignPatches()((MANY, 1, 100, 40), seeded(1))
    assert torch.equal(draw.height, draw.width)
    assert extremes(draw.height) == (4, 14)  # of the shorter side
    half = draw.height // 2
    assert extremes(draw.top + half) == (20, 79)
    assert extremes(draw.left + half) == (8, 31)


def test_squares_are_clipped_at_the_border() -> None:
    options = DrawForeignPatches(core=1.0, half_width=(0.3, 0.5))
    draw = options((MANY, 1, 20, 20), seeded(1))
    assert int(draw.top.min()) == int(draw.left.min()) == 0
    assert int((draw.top + draw.height).max()) == int((draw.left + draw.width).max()) == 20
    # a square of half side 6 to 9 about a center in 0..19, cut off at 0 and 20
    spans = {(max(c - h, 0), min(c + h, 20)) for c in range(20) for h in range(6, 10)}
    assert set(zip(draw.top.tolist(), (draw.top + draw.height).tolist(), strict=True)) == spans
    image = torch.randn(40, 1, 20, 20, generator=seeded(2))
    _, mask = ForeignPatch().apply(image, options(image.shape, seeded(3)))
    assert mask.amax(dim=(1, 2, 3)).eq(1.0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_mix_is_that_of_plain_loops(channels: int) -> None:
    image = torch.randn(5, channels, 32, 40, generator=seeded(1))
    draw = DrawForeignPatches(p=0.7)(image.shape, seeded(4))
    assert 0 < draw.present.sum() < 5
    result, mask = ForeignPatch().apply(image, draw)
    x, expected, expected_mask = image.numpy(), image.numpy().copy(), np.zeros((5, 1, 32, 40))
    for i in range(5):
        if not draw.present[i]:
            continue
        alpha, donor = float(draw.alpha[i]), int(draw.donor[i])
        for row in range(int(draw.top[i]), int(draw.top[i] + draw.height[i])):
            for column in range(int(draw.left[i]), int(draw.left[i] + draw.width[i])):
                mixed = (1 - alpha) * x[i, :, row, column] + alpha * x[donor, :, row, column]
                expected[i, :, row, column] = mixed
                expected_mask[i, 0, row, column] = 1.0
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-6)
    assert np.array_equal(mask.numpy(), expected_mask)


def test_alpha_nothing_and_all() -> None:
    image = torch.randn(4, 1, 32, 32, generator=seeded(1))
    draw = DrawForeignPatches()(image.shape, seeded(2))
    result, mask = ForeignPatch().apply(image, dataclasses.replace(draw, alpha=torch.zeros(4)))
    assert torch.equal(result, image)
    assert mask.amax(dim=(1, 2, 3)).eq(1.0).all()  # the square is told all the same
    result, _ = ForeignPatch().apply(image, dataclasses.replace(draw, alpha=torch.ones(4)))
    assert torch.equal(result, torch.where(mask > 0, image[draw.donor], image))


def test_range_of_alpha() -> None:
    alpha = DrawForeignPatches(alpha=(0.5, 0.6))((MANY, 1, 8, 8), seeded(1)).alpha
    assert 0.5 <= alpha.min() < 0.51 and 0.59 < alpha.max() <= 0.6
    assert RandForeignPatch(alpha=(1.0, 1.0)).draw((3, 1, 8, 8)).alpha.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": -0.1}, "p must lie"),
        ({"core": 0.0}, "core must lie"),
        ({"core": 1.1}, "core must lie"),
        ({"half_width": (0.3, 0.2)}, "half_width must be"),
        ({"alpha": (0.0, 1.1)}, "alpha must be"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    for kind in (DrawForeignPatches, RandForeignPatch):
        with pytest.raises(ValueError, match=message):
            kind(**options)
