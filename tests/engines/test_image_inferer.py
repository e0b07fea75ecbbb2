# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch

from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.networks.nets.detector import Detector
from tests.helpers.detectors import SMALL, small_detector, small_images


@pytest.mark.parametrize("name", SMALL)
def test_on_the_cpu_no_bit_of_a_map_depends_on_the_batch(name):
    detector = small_detector(name).to(memory_format=torch.channels_last)
    images = small_images(detector, 19)
    with torch.inference_mode():
        alone = torch.cat([ImageInferer()(image[None], detector) for image in images])
        for size in (2, 7, 8, 19):
            maps = torch.cat([ImageInferer()(batch, detector) for batch in images.split(size)])
            assert torch.equal(maps, alone)
        backwards = ImageInferer()(images.flip(0), detector).flip(0)
        assert torch.equal(backwards, alone)  # nor does the place in the batch matter
        torch.testing.assert_close(detector(images), alone, rtol=1e-3, atol=1e-4)


def test_an_empty_batch_is_the_networks():
    assert ImageInferer()(torch.zeros(0, 1, 4, 4), lambda images: images).shape == (0, 1, 4, 4)


def test_elsewhere_the_batch_goes_through_at_once():
    sizes = []

    class Network(Detector):
        def anomaly_map(self, image):
            sizes.append(len(image))
            return image

        def check_image(self, image):
            pass

    network = Network(4, 1)
    ImageInferer()(torch.zeros(3, 1, 4, 4, device="meta"), network)
    ImageInferer()(torch.zeros(11, 1, 4, 4), network)
    ImageInferer()(torch.zeros(2, 1, 129, 128), network)
    assert sizes == [3, 8, 8, 1, 1]
    ImageInferer()(torch.zeros(2, 1, 4, 4), lambda images: network(images))
    assert sizes[5:] == [1, 1]  # of a function nobody knows


def test_bfloat16_moves_a_map_a_little_and_stays_independent_of_the_batch():
    detector = small_detector("SEPIAD").to(memory_format=torch.channels_last)
    images = small_images(detector, 11)
    with torch.inference_mode():
        exact, rounded = ImageInferer()(images, detector), ImageInferer("bfloat16")(images, detector)
        alone = torch.cat([ImageInferer("bfloat16")(image[None], detector) for image in images])
    assert rounded.dtype == torch.float32 and torch.equal(rounded, alone)
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded.mean((1, 2, 3)), exact.mean((1, 2, 3)), rtol=0.05, atol=0.01)


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="one of float32, bfloat16, got 'float16'"):
        ImageInferer("float16")
