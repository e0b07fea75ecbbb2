# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, sparse
from scipy.sparse import linalg

from monai_anomaly.transforms.poisson_blend import DrawPoissonPatches, PoissonBlend, PoissonDraw, RandPoissonBlend

MANY = 20000


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference(host: np.ndarray, patch: np.ndarray, top: int, left: int, mixed: bool) -> np.ndarray:
    """Poisson image editing of one channel, equation by equation; the patch has one pixel more on each side."""
    height, width = patch.shape[0] - 2, patch.shape[1] - 2
    matrix = sparse.lil_matrix((height * width, height * width))
    right = np.zeros(height * width)
    for row in range(height):
        for column in range(width):
            here = row * width + column
            matrix[here, here] = 4.0
            for down, across in [(-1, 0), (1, 0), (0, -1), (0, 1)]:
                r, c = row + down, column + across
                step = patch[row + 1, column + 1] - patch[r + 1, c + 1]
                own = host[top + row, left + column] - host[top + r, left + c]
                right[here] += own if mixed and abs(own) >= abs(step) else step
                if 0 <= r < height and 0 <= c < width:
                    matrix[here, r * width + c] = -1.0
                else:
                    right[here] += host[top + r, left + c]
    result = host.copy()
    result[top : top + height, left : left + width] = linalg.spsolve(matrix.tocsc(), right).reshape(height, width)
    return result


def donor_window(donor: np.ndarray, draw: PoissonDraw, i: int) -> np.ndarray:
    axes = [
        int(start[i]) + np.arange(-1, int(count[i]) + 1) / float(draw.zoom[i])
        for start, count in [(draw.source_top, draw.height), (draw.source_left, draw.width)]
    ]
    return ndimage.map_coordinates(donor, np.meshgrid(*axes, indexing="ij"), order=1, mode="nearest")


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("zoom", [(1.0, 1.0), (0.6, 1.6)])
def test_blend_is_that_of_written_out_equations(mixed: bool, zoom: tuple[float, float]) -> None:
    image = torch.randn(6, 2, 24, 30, generator=seeded(1))
    draw = DrawPoissonPatches(p=0.8, size=(0.1, 0.6), zoom=zoom)(image.shape, seeded(0))
    assert 0 < draw.present.sum() < 6 and len(draw.height.unique()) > 3
    result, mask = PoissonBlend(mixed=mixed).apply(image, draw)
    x = image.double().numpy()
    for i in range(6):
        top, left, height, width = (int(value[i]) for value in (draw.top, draw.left, draw.height, draw.width))
        expected_mask = np.zeros((24, 30))
        expected_mask[top : top + height, left : left + width] = float(draw.present[i])
        assert np.array_equal(mask[i, 0].numpy(), expected_mask)
        for channel in range(2):
            window = donor_window(x[draw.donor[i], channel], draw, i)
            expected = reference(x[i, channel], window, top, left, mixed) if draw.present[i] else x[i, channel]
            np.testing.assert_allclose(result[i, channel].numpy(), expected, atol=3e-5)


def extremes(values: torch.Tensor) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def same_place(batch: int, size: int = 12) -> PoissonDraw:
    """Return the middle of the image, from the same place of the next image, as large as there."""
    place, side = torch.arange(batch) + 4, torch.arange(batch) + size
    return PoissonDraw(
        present=torch.ones(batch, dtype=torch.bool),
        top=place,
        left=place,
        height=side,
        width=side,
        donor=(torch.arange(batch) + 1) % batch,
        source_top=place,
        source_left=place,
        zoom=torch.ones(batch),
    )


@pytest.mark.parametrize("mixed", [False, True])
def test_a_donor_like_the_image_changes_nothing(mixed: bool) -> None:
    image = torch.randn(1, 2, 32, 32, generator=seeded(1)).repeat(3, 1, 1, 1)
    result, mask = PoissonBlend(mixed=mixed).apply(image, same_place(3))
    assert mask.sum(dim=(1, 2, 3)).tolist() == [144.0, 169.0, 196.0]
    torch.testing.assert_close(result, image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mixed", [False, True])
def test_brightness_of_the_donor_does_not_matter(mixed: bool) -> None:
    image, draw = torch.randn(2, 1, 32, 32, generator=seeded(1)), same_place(2)
    first, _ = PoissonBlend(mixed=mixed).apply(image, draw)
    brighter = torch.stack([image[0], image[1] + 3.0])
    second, _ = PoissonBlend(mixed=mixed).apply(brighter, draw)
    torch.testing.assert_close(second[0], first[0], rtol=0, atol=1e-5)
    assert (first[0] - image[0]).abs().max() > 0.5  # while its structure does


def test_a_flat_donor_leaves_the_smoothest_surface() -> None:
    slope = torch.linspace(-1.0, 2.0, 32)[None, None, None, :].expand(1, 1, 32, 32)
    wavy = slope + torch.randn(1, 1, 32, 32, generator=seeded(1))
    inside = same_place(2).inside((32, 32))[:1]
    image = torch.cat([torch.where(inside, wavy, slope), torch.full((1, 1, 32, 32), 5.0)])
    result, _ = PoissonBlend().apply(image, same_place(2))
    torch.testing.assert_close(result[:1], slope, rtol=0, atol=1e-5)  # a plane solves Laplace's equation
    kept, _ = PoissonBlend(mixed=True).apply(image, same_place(2))
    torch.testing.assert_close(kept[:1], image[:1], rtol=0, atol=1e-5)  # every own gradient is steeper than none


def test_the_seam_is_gone() -> None:
    rows, columns = torch.meshgrid(torch.linspace(0, 3, 48), torch.linspace(0, 3, 48), indexing="ij")
    smooth = torch.stack([torch.sin(rows + 2 * columns), torch.cos(rows - columns) * 2 + 6])[:, None]
    image = torch.cat([smooth, -smooth])
    result, _ = RandPoissonBlend()(image, seeded(1))
    for axis in (2, 3):
        assert result.diff(dim=axis).abs().max() < 3 * image.diff(dim=axis).abs().max()


def test_ranges_and_places_of_the_draw() -> None:
    draw = DrawPoissonPatches(size=(0.1, 0.4))((MANY, 1, 60, 100), seeded(0))
    assert extremes(draw.height) == (6, 24)
    assert extremes(draw.width) == (10, 40)
    assert draw.zoom.min() == pytest.approx(0.7, abs=0.01) and draw.zoom.max() == pytest.approx(1.3, abs=0.01)
    assert (draw.donor != torch.arange(MANY)).all()
    for start, count, side in [(draw.top, draw.height, 60), (draw.left, draw.width, 100)]:
        assert start.min() == 1 and (start + count).max() == side - 1


@pytest.mark.parametrize(
    ("size", "zoom"), [((0.1, 0.4), (0.7, 1.3)), ((0.0, 1.0), (0.5, 2.0)), ((1.0, 1.0), (1.0, 1.0))]
)
def test_patches_lie_inside_the_donor(size: tuple[float, float], zoom: tuple[float, float]) -> None:
    draw = DrawPoissonPatches(size=size, zoom=zoom)((MANY, 1, 30, 40), seeded(0))
    for start, count, source, side in [
        (draw.top, draw.height, draw.source_top, 30),
        (draw.left, draw.width, draw.source_left, 40),
    ]:
        assert count.min() >= 1 and start.min() >= 1 and (start + count).max() <= side - 1
        first, last = source - 1 / draw.zoom, source + count / draw.zoom  # the ring around it, too
        assert first.min() >= -1e-5 and last.max() <= side - 1 + 1e-5
        assert first.min() < 1.0 and last.max() > side - 2


def test_a_rectangle_at_the_border_has_no_edge() -> None:
    draw = same_place(2)
    with pytest.raises(ValueError, match="margin of 1"):
        PoissonBlend().apply(torch.zeros(2, 1, 32, 32), dataclasses.replace(draw, top=draw.top * 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 2.0}, "p must lie"),
        ({"size": (0.4, 0.1)}, "size must be"),
        ({"size": (0.4, 1.1)}, "size must be"),
        ({"zoom": (0.0, 1.0)}, "zoom must be"),
        ({"zoom": (1.0, 5.0)}, "zoom must be"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    for kind in (DrawPoissonPatches, RandPoissonBlend):
        with pytest.raises(ValueError, match=message):
            kind(**options)
