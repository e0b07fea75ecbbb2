# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage

from monai_anomaly.transforms.pseudo_anomaly import ANOMALY_KINDS, AnomalyDraw, PseudoAnomaly, blob_mask


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch() -> torch.Tensor:
    """Smooth images with some texture, each at its own level."""
    noise = torch.randn(6, 1, 40, 48, generator=seeded(0)).numpy()
    smooth = np.stack([ndimage.gaussian_filter(n[0], 2.0) for n in noise])[:, None]
    level = np.arange(6.0)[:, None, None, None]
    return torch.from_numpy(smooth * 2 + noise * 0.1 + level).float()


def full_blob(corruptor: PseudoAnomaly, batch: torch.Tensor, **changes: torch.Tensor) -> AnomalyDraw:
    """One present, opaque, very large blob in the middle of every image, so that all pixels are inside."""
    count = batch.shape[0]
    draw = corruptor.draw(batch.shape, seeded(3))[0]
    full = {
        "present": torch.ones(count, dtype=torch.bool),
        "center": torch.zeros(count, 2),
        "radii": torch.full((count, 2), 50.0),
        "edge": torch.full((count,), 0.01),
        "outline": torch.zeros_like(draw.outline),
        "opacity": torch.ones(count),
    }
    return dataclasses.replace(draw, **{**full, **changes})


@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_range_and_untouched_input(channels: int) -> None:
    image = torch.rand(5, channels, 24, 40, generator=seeded(1))
    before = image.clone()
    corrupted, mask = PseudoAnomaly()(image, seeded(2))
    assert corrupted.shape == image.shape and corrupted.dtype == image.dtype
    assert mask.shape == (5, 1, 24, 40)
    assert 0.0 <= mask.min() and 0.9 < mask.max() <= 1.0
    assert torch.isfinite(corrupted).all()
    assert torch.equal(image, before)


def test_same_seed_same_result_and_global_source(batch: torch.Tensor) -> None:
    corruptor = PseudoAnomaly()
    first, other = corruptor(batch, seeded(5)), corruptor(batch, seeded(6))
    again = corruptor(batch, seeded(5))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    torch.manual_seed(5)
    assert torch.equal(corruptor(batch)[0], first[0])
    assert not torch.equal(corruptor(batch)[0], first[0])  # the global source moves on


def test_outside_of_the_mask_nothing_changes(batch: torch.Tensor) -> None:
    corrupted, mask = PseudoAnomaly(num_blobs=1)(batch, seeded(7))
    outside = mask < 1e-6
    assert 0.3 < outside.float().mean() < 1.0
    torch.testing.assert_close(corrupted[outside], batch[outside], atol=1e-4, rtol=0)
    inside = mask > 0.5
    assert (corrupted[inside] - batch[inside]).abs().mean() > 0.1


def test_share_of_clean_images_and_blobs() -> None:
    image = torch.randn(2000, 1, 8, 8, generator=seeded(1))
    draws = PseudoAnomaly(clean_probability=0.25, num_blobs=2).draw(image.shape, seeded(2))
    assert draws[0].present.float().mean() == pytest.approx(0.75, abs=0.04)
    assert draws[1].present.float().mean() == pytest.approx(0.75 * 0.4, abs=0.04)
    assert not (draws[1].present & ~draws[0].present).any()


def test_all_clean_and_none_clean(batch: torch.Tensor) -> None:
    corrupted, mask = PseudoAnomaly(clean_probability=1.0)(batch, seeded(1))
    assert torch.equal(corrupted, batch) and mask.max() == 0.0
    _, mask = PseudoAnomaly(clean_probability=0.0)(batch, seeded(1))
    assert (mask.amax(dim=(1, 2, 3)) > 0.3).all()


def test_mask_is_the_drawn_ellipse(batch: torch.Tensor) -> None:
    corruptor = PseudoAnomaly()
    count = batch.shape[0]
    draw = full_blob(
        corruptor,
        batch,
        center=torch.tensor([[0.3, -0.2]]).repeat(count, 1),
        radii=torch.tensor([[0.5, 0.2]]).repeat(count, 1),
        angle=torch.full((count,), 0.5),
        edge=torch.full((count,), 1e-3),
    )
    mask = blob_mask(draw, (201, 201))[0, 0].numpy()
    inside = np.argwhere(mask > 0.5) / 100.0 - 1.0  # y, x in [-1, 1]
    assert inside.mean(axis=0) == pytest.approx([-0.2, 0.3], abs=0.01)
    assert len(inside) / 100.0**2 == pytest.approx(np.pi * 0.5 * 0.2, rel=0.02)
    values, vectors = np.linalg.eigh(np.cov(inside.T))
    assert np.sqrt(values) * 2 == pytest.approx([0.2, 0.5], rel=0.03)
    assert abs(vectors[0, 1] / vectors[1, 1]) == pytest.approx(np.tan(0.5), rel=0.03)  # the long axis, y over x


def reference_foreign(batch: np.ndarray, draw: AnomalyDraw) -> np.ndarray:
    result = np.empty_like(batch)
    for i in range(len(batch)):
        rows, columns = (int(draw.shift[i, a] * batch.shape[2 + a]) for a in (0, 1))
        piece = np.roll(batch[draw.donor[i]], (-rows, -columns), axis=(1, 2))
        result[i] = piece[:, :, ::-1] if draw.mirror[i] else piece
    return result


def reference_blur(batch: np.ndarray, draw: AnomalyDraw) -> np.ndarray:
    result = batch
    for _ in range(2):
        result = ndimage.uniform_filter(result, (0, 0, 5, 5), mode="mirror")
    return result


def reference_gain(batch: np.ndarray, draw: AnomalyDraw) -> np.ndarray:
    level = batch.mean(axis=(2, 3), keepdims=True)
    exponent = draw.sign.numpy() * (0.3 + 0.7 * draw.strength.numpy()) * 1.6
    return level + (batch - level) * np.exp(exponent)[:, None, None, None]


def reference_offset(batch: np.ndarray, draw: AnomalyDraw) -> np.ndarray:
    std = batch.std(axis=(1, 2, 3), ddof=1)
    return batch + (draw.sign.numpy() * (0.5 + draw.strength.numpy()) * 1.6 * std)[:, None, None, None]


REFERENCES = {
    "foreign": reference_foreign,
    "blur": reference_blur,
    "gain": reference_gain,
    "offset": reference_offset,
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_kind_against_numpy(batch: torch.Tensor, kind: str) -> None:
    corruptor = PseudoAnomaly(kinds=[kind])
    draw = full_blob(corruptor, batch)
    corrupted, mask = corruptor.apply(batch, [draw])
    reference: Callable[[np.ndarray, AnomalyDraw], np.ndarray] = REFERENCES[kind]
    assert mask.min() > 0.999
    np.testing.assert_allclose(corrupted.numpy(), reference(batch.numpy(), draw), atol=2e-4)


def test_noise_adds_its_strength_without_a_shift(batch: torch.Tensor) -> None:
    corruptor = PseudoAnomaly(kinds=["noise"])
    draw = full_blob(corruptor, batch)
    added = corruptor.apply(batch, [draw])[0] - batch
    std = batch.std(dim=(1, 2, 3))
    expected = 1.2 * (0.5 + draw.strength) * 1.6 * std / 3.0  # a 3 x 3 mean of independent numbers
    torch.testing.assert_close(added.std(dim=(1, 2, 3)), expected, rtol=0.15, atol=0)
    assert (added.mean(dim=(1, 2, 3)).abs() < 0.1 * expected).all()


def test_donor_is_another_image_and_one_image_is_enough() -> None:
    donor = PseudoAnomaly().draw((7, 1, 8, 8), seeded(1))[0].donor
    assert (donor != torch.arange(7)).all()
    corrupted, mask = PseudoAnomaly(clean_probability=0.0)(torch.rand(1, 1, 16, 16), seeded(1))
    assert torch.isfinite(corrupted).all() and mask.max() > 0.3


def test_constant_image_stays_finite() -> None:
    corrupted, _ = PseudoAnomaly()(torch.zeros(4, 1, 32, 32), seeded(1))
    assert torch.equal(corrupted, torch.zeros(4, 1, 32, 32))


def test_intensity_scale_does_not_matter(batch: torch.Tensor) -> None:
    plain, mask = PseudoAnomaly()(batch, seeded(4))
    scaled, scaled_mask = PseudoAnomaly()(batch * 0.1 + 3.0, seeded(4))
    torch.testing.assert_close(scaled, plain * 0.1 + 3.0, atol=1e-4, rtol=0)
    assert torch.equal(mask, scaled_mask)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kinds": ["blur", "smear"]}, "smear"),
        ({"kinds": []}, "kinds"),
        ({"num_blobs": 0}, "num_blobs"),
        ({"clean_probability": 1.5}, "clean_probability"),
        ({"radius": (0.5, 0.1)}, "radius"),
        ({"edge": 0.0}, "edge"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PseudoAnomaly(**arguments)


@pytest.mark.parametrize(
    "image", [torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 7), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)]
)
def test_bad_image(image: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="batch"):
        PseudoAnomaly()(image)


def test_every_kind_is_drawn() -> None:
    kinds = PseudoAnomaly().draw((200, 1, 8, 8), seeded(1))[0].kind
    assert set(kinds.tolist()) == set(range(len(ANOMALY_KINDS)))
