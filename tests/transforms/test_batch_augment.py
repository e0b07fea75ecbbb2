# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from monai_anomaly.transforms.batch_augment import AugmentDraw, BatchAugment


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(count: int, **changes: torch.Tensor) -> AugmentDraw:
    """Return a draw that changes nothing but what is given."""
    one, zero = torch.ones(count), torch.zeros(count)
    draw = AugmentDraw(torch.ones(count, 2), zero, one, torch.zeros(count, 2), one, zero, one)
    return dataclasses.replace(draw, **changes)


@pytest.fixture
def batch() -> torch.Tensor:
    noise = torch.randn(4, 2, 32, 48, generator=seeded(0)).numpy()
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 2.0, 2.0)) * 4.0)


def test_shape_seed_and_untouched_input(batch: torch.Tensor) -> None:
    before = batch.clone()
    augment = BatchAugment(gamma=0.3)
    first = augment(batch, seeded(1))
    assert first.shape == batch.shape and first.dtype == batch.dtype and torch.isfinite(first).all()
    assert torch.equal(batch, before)
    assert torch.equal(augment(batch, seeded(1)), first)
    assert not torch.equal(augment(batch, seeded(2)), first)
    torch.manual_seed(1)
    assert torch.equal(augment(batch), first)


def test_still_draw_changes_nothing(batch: torch.Tensor) -> None:
    torch.testing.assert_close(BatchAugment(gamma=0.1).apply(batch, still(4)), batch, atol=1e-5, rtol=0)


def test_all_off_is_the_identity(batch: torch.Tensor) -> None:
    augment = BatchAugment(flip=(0, 0), rotate=0.0, zoom=0.0, shift=0.0, gain=0.0, offset=0.0)
    torch.testing.assert_close(augment(batch, seeded(1)), batch, atol=1e-5, rtol=0)


@pytest.mark.parametrize("flip, axis", [((1.0, 0.0), 3), ((0.0, 1.0), 2)])
def test_flips(batch: torch.Tensor, flip: tuple[float, float], axis: int) -> None:
    augment = BatchAugment(flip=flip, rotate=0.0, zoom=0.0, shift=0.0, gain=0.0, offset=0.0)
    torch.testing.assert_close(augment(batch, seeded(1)), batch.flip(axis), atol=1e-5, rtol=0)


STILL = {"flip": (0.0, 0.0), "rotate": 0.0, "zoom": 0.0, "shift": 0.0, "gain": 0.0, "offset": 0.0}


@pytest.mark.parametrize("size", [15, 16, 64])
def test_quarter_turns_are_those_of_torch(size: int) -> None:
    images = torch.rand(32, 3, size, size, generator=seeded(0))
    augment = BatchAugment(**STILL, quarter_turns=True)
    turns = torch.round(augment.draw(32, seeded(1)).angle / (torch.pi / 2)).int().tolist()
    assert set(turns) == {0, 1, 2, 3}
    for image, turned, quarters in zip(images, augment(images, seeded(1)), turns, strict=True):
        torch.testing.assert_close(turned, torch.rot90(image, quarters, (1, 2)), atol=1e-5, rtol=0)


def test_quarter_turns_and_flips_give_all_eight_symmetries() -> None:
    image = torch.rand(1, 1, 8, 8, generator=seeded(0))
    augment = BatchAugment(**{**STILL, "flip": (0.5, 0.0)}, quarter_turns=True)
    results = augment(image.expand(64, -1, -1, -1), seeded(1))
    found = set()
    for result in results:
        symmetries = [torch.rot90(one, k, (1, 2)) for one in (image[0], image[0].flip(2)) for k in range(4)]
        distances = [float((result - one).abs().max()) for one in symmetries]
        assert min(distances) < 1e-5
        found.add(distances.index(min(distances)))
    assert len(found) == 8


def test_quarter_turns_are_equally_likely_and_added_to_the_rotation() -> None:
    degrees = torch.rad2deg(BatchAugment(rotate=10.0, quarter_turns=True).draw(4000, seeded(1)).angle)
    quarters = torch.round(degrees / 90.0)
    assert (degrees - 90.0 * quarters).abs().max() <= 10.001
    shares = [float((quarters == k).float().mean()) for k in range(4)]
    assert shares == pytest.approx([0.25] * 4, abs=0.03)


def test_without_quarter_turns_the_draws_are_those_of_before() -> None:
    """A seed's numbers, in the order in which they are drawn; a run of an older version is repeated by its seed."""
    draw = BatchAugment(flip=(0.4, 0.3), rotate=8.0, gamma=0.2).draw(5, seeded(3))
    generator = seeded(3)

    def uniform(low: float, high: float, *size: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*size, generator=generator)

    flips = [torch.where(torch.rand(5, generator=generator) < p, -1.0, 1.0) for p in (0.4, 0.3)]
    assert torch.equal(draw.flip, torch.stack(flips, dim=1))
    assert torch.equal(draw.angle, torch.deg2rad(uniform(-8.0, 8.0, 5)))
    assert torch.equal(draw.zoom, uniform(0.9, 1.1, 5))
    assert torch.equal(draw.shift, uniform(-0.04, 0.04, 5, 2))
    assert torch.equal(draw.gain, uniform(0.8, 1.2, 5))
    assert torch.equal(draw.offset, uniform(-0.2, 0.2, 5))
    assert torch.equal(draw.gamma, uniform(-0.2, 0.2, 5).exp())


def test_quarter_turns_need_square_images(batch: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"quarter_turns need square images, got \(4, 2, 32, 48\); leave"):
        BatchAugment(quarter_turns=True)(batch)


def test_affine_against_scipy(batch: torch.Tensor) -> None:
    angle, zoom, shift = 0.2, 1.1, np.array([0.03, -0.02])  # shift in x, y
    draw = still(
        4,
        angle=torch.full((4,), angle),
        zoom=torch.full((4,), zoom),
        shift=torch.from_numpy(shift).float().repeat(4, 1),
    )
    result = BatchAugment().apply(batch, draw).numpy()
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    matrix = np.array([[cos, sin], [-sin, cos]])  # rows, columns: from output to input
    center = (np.array(batch.shape[2:]) - 1) / 2
    offset = center - matrix @ center + shift[::-1] * batch.shape[2:]
    for image, changed in zip(batch.numpy(), result, strict=True):
        for channel, got in zip(image, changed, strict=True):
            expected = ndimage.affine_transform(channel, matrix, offset, order=1, mode="reflect")
            np.testing.assert_allclose(got[6:-6, 6:-6], expected[6:-6, 6:-6], atol=2e-4)


def test_gain_offset_and_gamma_against_numpy(batch: torch.Tensor) -> None:
    draw = still(4, gain=torch.full((4,), 1.3), offset=torch.full((4,), -0.5), gamma=torch.full((4,), 1.4))
    result = BatchAugment(gamma=0.5).apply(batch, draw).numpy()
    for image, changed in zip(batch.numpy(), result, strict=True):
        moved = (image - image.mean()) * 1.3 + image.mean() - 0.5 * image.std(ddof=1)
        low, high = moved.min(), moved.max()
        expected = ((moved - low) / (high - low)) ** 1.4 * (high - low) + low
        np.testing.assert_allclose(changed, expected, atol=1e-3)


def test_draws_stay_in_their_ranges() -> None:
    draw = BatchAugment(flip=(0.3, 0.1), rotate=20.0, zoom=0.2, shift=0.1, gain=0.4, offset=0.6).draw(4000, seeded(1))
    degrees = torch.rad2deg(draw.angle)
    for values, low, high in (
        (degrees, -20.0, 20.0),
        (draw.zoom, 0.8, 1.2),
        (draw.shift, -0.1, 0.1),
        (draw.gain, 0.6, 1.4),
        (draw.offset, -0.6, 0.6),
    ):
        reach = 0.02 * (high - low)
        assert low - 1e-4 <= values.min() < low + reach and high - reach < values.max() <= high + 1e-4
    assert (draw.flip < 0).float().mean(dim=0).tolist() == pytest.approx([0.3, 0.1], abs=0.03)
    assert (draw.gamma == 1.0).all()


def test_constant_image_stays_finite() -> None:
    image = torch.full((3, 1, 16, 16), 0.5)
    torch.testing.assert_close(BatchAugment(gamma=0.3)(image, seeded(1)), image)


@pytest.mark.parametrize(
    "arguments, message",
    [({"flip": (0.5,)}, "flip"), ({"flip": (0.5, 1.5)}, "flip"), ({"rotate": -1.0}, "rotate"), ({"zoom": 1.0}, "zoom")],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BatchAugment(**arguments)


def test_bad_image() -> None:
    with pytest.raises(ValueError, match="batch"):
        BatchAugment()(torch.zeros(1, 8, 8))


def test_mixed_precision_moves_no_pixel():
    image = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    augment = BatchAugment(flip=(0.5, 0.5), rotate=10.0)
    plain = augment(image, torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = augment(image, torch.Generator().manual_seed(1))
    torch.testing.assert_close(mixed, plain)
