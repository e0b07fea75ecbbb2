# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.engines.image_inferer import ImageInferer
from tests.helpers.detectors import SMALL, small_detector, small_images


@pytest.mark.parametrize("name", SMALL)
def test_on_the_cpu_no_bit_of_a_map_depends_on_the_batch(name):
    detector = small_detector(name).to(memory_format=torch.channels_last)
    images = small_images(detector, 9)
    with torch.inference_mode():
        alone = torch.cat([detector(image[None]) for image in images])
        for size in (2, 4, 9):
            maps = torch.cat([ImageInferer()(batch, detector) for batch in images.split(size)])
            assert torch.equal(maps, alone)
        torch.testing.assert_close(detector(images), alone, rtol=1e-3, atol=1e-4)


def test_an_empty_batch_is_the_networks():
    assert ImageInferer()(torch.zeros(0, 1, 4, 4), lambda images: images).shape == (0, 1, 4, 4)


def test_elsewhere_the_batch_goes_through_at_once():
    sizes = []

    def network(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return images

    ImageInferer()(torch.zeros(3, 1, 4, 4, device="meta"), network)
    ImageInferer()(torch.zeros(3, 1, 4, 4), network)
    assert sizes == [3, 1, 1, 1]
