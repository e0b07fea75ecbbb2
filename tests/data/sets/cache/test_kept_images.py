# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_anomaly.data.sets.cache.kept_images import KeptImages
from monai_anomaly.data.sets.cache.memory import MemoryPictures
from monai_anomaly.transforms.intensity import NormalizeImage

COUNT = 5


@pytest.fixture(params=["none", "zscore", "percentile"])
def both(request) -> tuple[KeptImages, torch.Tensor]:
    """Kept images, and what the normalization makes of each."""
    intensity, pictures, limits = NormalizeImage(request.param), MemoryPictures(lambda size, so_far: None), []
    raw = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (COUNT, 1, 6, 4), dtype=np.uint8)).float() / 255
    for picture in raw:
        pictures.add(picture.numpy())
        limits.append(intensity.limits(picture))
    return KeptImages(pictures, np.array(limits), intensity), torch.stack([intensity(picture) for picture in raw])


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(None),
        slice(1, 4),
        slice(None, 1),
        [3, 0, 3],
        [],
        np.array([2, 1]),
        torch.tensor([4, 0]),
        np.int64(2),
    ],
)
def test_what_is_asked_for_is_what_a_tensor_gives(both, index):
    images, expected = both
    assert torch.equal(images[index], expected[index]) and images[index].dtype == torch.float32


def test_parts_can_be_gone_through_again(both):
    images, expected = both
    parts = images.split(2)
    assert len(parts) == 3
    for _ in range(2):
        assert all(torch.equal(*pair) for pair in zip(parts, expected.split(2), strict=True))
    assert torch.equal(torch.stack(list(images)), expected)


def test_shape_and_rows_out_of_range(both):
    images, expected = both
    assert images.shape == expected.shape and images.ndim == 4 and len(images) == COUNT
    with pytest.raises(IndexError):
        images[COUNT]


def test_some_rows_are_a_sequence_of_their_own(both):
    images, expected = both
    few = images.subset([4, 1]).subset([1])
    assert few.shape == (1, 1, 6, 4) and torch.equal(few[:], expected[[1]])
    assert images.subset([]).shape == (0, 1, 6, 4) and images.subset([])[:].shape == (0, 1, 6, 4)


def test_an_answer_is_a_copy(both):
    images, expected = both
    images[:].zero_()
    images[0].zero_()
    assert torch.equal(images[:], expected)
