# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from monai_anomaly.transforms.cut_paste import CutPaste, CutPasteDraw, DrawCutPaste, RandCutPaste

MANY = 20000


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reference(image: np.ndarray, draw: CutPasteDraw) -> tuple[np.ndarray, np.ndarray]:
    """Upright patches, image by image."""
    result, mask = image.copy(), np.zeros((len(image), 1, *image.shape[2:]))
    for i in range(len(image)):
        if not draw.present[i]:
            continue
        top, left, height, width = (int(value[i]) for value in (draw.top, draw.left, draw.height, draw.width))
        row, column = int(draw.source_top[i]), int(draw.source_left[i])
        patch = image[i, :, row : row + height, column : column + width]
        jittered = patch.mean() + (patch - patch.mean()) * float(draw.gain[i])
        jittered = jittered + float(draw.offset[i]) * image[i].std(ddof=1)
        result[i, :, top : top + height, left : left + width] = jittered
        mask[i, :, top : top + height, left : left + width] = 1.0
    return result, mask


def test_shapes_of_the_paper() -> None:
    draw = DrawCutPaste()((MANY, 1, 128, 128), seeded(0))
    share = draw.height * draw.width / 128**2
    assert share.min() == pytest.approx(0.02, abs=0.002) and share.max() == pytest.approx(0.15, abs=0.01)
    assert share.mean() == pytest.approx(0.085, abs=0.002)
    aspect = draw.height / draw.width
    assert aspect.min() == pytest.approx(0.3, abs=0.03) and aspect.max() == pytest.approx(3.3, abs=0.3)
    tall = aspect > 1.0
    assert tall.float().mean() == pytest.approx(0.5, abs=0.03)
    assert aspect[tall].mean() == pytest.approx(2.15, abs=0.05) and aspect[~tall].mean() == pytest.approx(
        0.65, abs=0.02
    )


@pytest.mark.parametrize(
    ("aspect", "low", "high"), [((0.2, 0.5), 0.2, 0.5), ((2.0, 4.0), 2.0, 4.0), ((1.0, 1.0), 1, 1)]
)
def test_one_sided_aspects(aspect: tuple[float, float], low: float, high: float) -> None:
    draw = DrawCutPaste(area=(0.05, 0.06), aspect=aspect)((MANY, 1, 512, 512), seeded(0))
    ratio = draw.height / draw.width
    assert ratio.min() == pytest.approx(low, rel=0.03) and ratio.max() == pytest.approx(high, rel=0.03)


def test_cut_and_paste_are_inside_and_apart() -> None:
    for shape in [(MANY, 1, 64, 64), (MANY, 1, 20, 9)]:
        draw = DrawCutPaste(area=(0.0, 0.6))(shape, seeded(1))
        for start, count, side in [
            (draw.top, draw.height, shape[2]),
            (draw.source_top, draw.height, shape[2]),
            (draw.left, draw.width, shape[3]),
            (draw.source_left, draw.width, shape[3]),
        ]:
            assert start.min() == 0 and count.min() >= 1
            assert (start + count).max() == side
        free = (shape[2] - draw.height + 1) * (shape[3] - draw.width + 1) > 1
        same = (draw.top == draw.source_top) & (draw.left == draw.source_left)
        assert free.any() and not (same & free).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_paste_is_that_of_plain_slices(channels: int) -> None:
    image = torch.randn(6, channels, 24, 30, generator=seeded(1)) * 3 + 1
    draw = DrawCutPaste(p=0.7, brightness=0.5, contrast=0.5)(image.shape, seeded(2))
    assert 0 < draw.present.sum() < 6
    result, mask = CutPaste().apply(image, draw)
    expected, expected_mask = reference(image.numpy(), draw)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)
    assert np.array_equal(mask.numpy(), expected_mask)


def test_without_jitter_pixels_are_copied_bit_for_bit() -> None:
    image = torch.randn(6, 2, 24, 30, generator=seeded(1))
    draw = DrawCutPaste(brightness=0.0, contrast=0.0)(image.shape, seeded(2))
    result, _ = CutPaste().apply(image, draw)
    for i in range(6):
        top, left, height, width = (int(value[i]) for value in (draw.top, draw.left, draw.height, draw.width))
        row, column = int(draw.source_top[i]), int(draw.source_left[i])
        copied = image[i, :, row : row + height, column : column + width]
        assert torch.equal(result[i, :, top : top + height, left : left + width], copied)


def test_jitter_follows_the_image_s_own_scale() -> None:
    image = torch.randn(6, 1, 24, 30, generator=seeded(1))
    transform = RandCutPaste(brightness=1.0, contrast=0.5)
    plain, scaled = transform(image, seeded(2))[0], transform(image * 40 + 7, seeded(2))[0]
    torch.testing.assert_close(scaled, plain * 40 + 7, rtol=0, atol=1e-3)


def test_ranges_of_jitter_and_angle() -> None:
    draw = DrawCutPaste(rotate=45.0, brightness=0.3, contrast=0.2)((MANY, 1, 8, 8), seeded(1))
    for value, low, high in [(draw.angle, -math.pi / 4, math.pi / 4), (draw.offset, -0.3, 0.3), (draw.gain, 0.8, 1.2)]:
        assert low <= value.min() < low + 0.01 and high - 0.01 < value.max() <= high
    assert DrawCutPaste()((3, 1, 8, 8)).angle.eq(0.0).all()


def one_patch(angle: float, **changes: int) -> CutPasteDraw:
    numbers = {"top": 10, "left": 12, "height": 5, "width": 9, "source_top": 3, "source_left": 2, **changes}
    return CutPasteDraw(
        present=torch.tensor([True]),
        angle=torch.tensor([angle]),
        gain=torch.ones(1),
        offset=torch.zeros(1),
        **{name: torch.tensor([value]) for name, value in numbers.items()},
    )


@pytest.mark.parametrize("quarter", [1, 2, -1])
def test_quarter_turns(quarter: int) -> None:
    image = torch.randn(1, 2, 30, 32, generator=seeded(1))
    result, mask = CutPaste().apply(image, one_patch(quarter * math.pi / 2))
    patch = np.rot90(image[0, :, 3:8, 2:11].numpy(), -quarter, axes=(1, 2))  # x to the right, y down: clockwise
    height, width = patch.shape[1:]
    top, left = 12 - height // 2, 16 - width // 2  # about the middle of the rectangle
    expected = image[0].numpy().copy()
    expected[:, top : top + height, left : left + width] = patch
    assert np.array_equal(result[0].numpy(), expected)
    assert mask.sum() == 45


def test_turned_mask_is_the_turned_rectangle() -> None:
    image = torch.randn(1, 1, 200, 200, generator=seeded(1))
    _, mask = CutPaste().apply(image, one_patch(0.5, top=80, left=40, height=20, width=101))
    points = np.argwhere(mask[0, 0].numpy() > 0)
    assert points.mean(axis=0) == pytest.approx([89.5, 90.0], abs=0.2)
    assert len(points) == pytest.approx(20 * 101, rel=0.01)
    values, vectors = np.linalg.eigh(np.cov(points.T))
    assert np.sqrt(12 * values) == pytest.approx([20, 101], rel=0.02)
    assert vectors[0, 1] / vectors[1, 1] == pytest.approx(math.tan(0.5), rel=0.02)  # the long axis, row over column


def test_turned_patch_shows_only_the_cut_rectangle() -> None:
    image = torch.zeros(1, 1, 40, 40)
    image[:, :, 3:8, 2:11] = 1.0
    result, mask = CutPaste().apply(image, one_patch(0.7, top=20, left=20))
    assert torch.equal(result, torch.maximum(image, mask))


def test_turned_patch_is_cut_off_at_the_border() -> None:
    image = torch.randn(1, 1, 30, 32, generator=seeded(1))
    result, mask = CutPaste().apply(image, one_patch(math.pi / 2, top=0))
    assert mask[0, 0, :, 16].tolist() == [1.0] * 7 + [0.0] * 23  # rows -2 to 6
    assert torch.equal(result[0, 0, :7, 16], image[0, 0, 5, 4:11])


def test_one_image_is_enough() -> None:
    image = torch.randn(1, 1, 30, 32, generator=seeded(1))
    assert not torch.equal(RandCutPaste()(image, seeded(0))[0], image)


def test_patch_as_large_as_the_image_changes_nothing() -> None:
    image = torch.randn(2, 1, 16, 16, generator=seeded(1))
    draw = DrawCutPaste(area=(1.0, 1.0), aspect=(1.0, 1.0), brightness=0.0, contrast=0.0)(image.shape, seeded(0))
    assert draw.height.tolist() == draw.width.tolist() == [16, 16]
    assert torch.equal(CutPaste().apply(image, draw)[0], image)
    far = dataclasses.replace(draw, top=draw.top + 1)
    with pytest.raises(ValueError, match="leaves the image"):
        CutPaste().apply(image, far)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 1.1}, "p must lie"),
        ({"area": (0.2, 0.1)}, "area must be"),
        ({"area": (0.2, 1.1)}, "area must be"),
        ({"aspect": (0.0, 1.0)}, "aspect must be"),
        ({"rotate": 181.0}, "rotate must lie"),
        ({"rotate": -1.0}, "rotate must lie"),
        ({"brightness": -0.1}, "brightness must not be negative"),
        ({"contrast": 1.0}, "contrast in"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    for kind in (DrawCutPaste, RandCutPaste):
        with pytest.raises(ValueError, match=message):
            kind(**options)
