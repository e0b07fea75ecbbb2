# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every detector of the registry promises; see :class:`monai_anomaly.networks.nets.detector.Detector`."""

from __future__ import annotations

import copy
import io
import json
import warnings

import pytest
import torch

from monai_anomaly.networks.nets.registry import DETECTORS, make_detector
from tests.helpers.detectors import SMALL, small_detector, small_images
from tests.helpers.trained_models import assert_same

pytestmark = pytest.mark.parametrize("name", DETECTORS)


@torch.no_grad()
def test_an_image_gives_one_float32_map_and_a_picture(name):
    detector = small_detector(name)
    images = small_images(detector, 5)
    anomaly = detector(images)
    assert anomaly.shape == (5, 1, detector.image_size, detector.image_size)
    assert anomaly.dtype == torch.float32 and bool(anomaly.isfinite().all())
    if hasattr(detector, "reconstruct"):
        assert detector.reconstruct(images).shape == images.shape
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert detector(images).dtype == torch.float32


@torch.no_grad()
def test_images_have_different_maps(name):
    detector = small_detector(name)
    first, second = detector(small_images(detector, 2))
    assert not torch.allclose(first, second)


@torch.no_grad()
def test_a_map_is_the_same_twice_alone_and_in_any_order_and_nothing_is_remembered(name):
    detector = small_detector(name)
    images = small_images(detector, 8)
    before, random = copy.deepcopy(detector.state_dict()), torch.get_rng_state()
    together = detector(images)
    tolerance = 1e-5 * float(together.abs().max())
    assert torch.equal(detector(images), together)
    torch.testing.assert_close(detector(images.flip(0)).flip(0), together, rtol=1e-4, atol=tolerance)
    torch.testing.assert_close(torch.cat([detector(x[None]) for x in images]), together, rtol=1e-4, atol=tolerance)
    assert_same(detector.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), random)


def test_an_image_of_another_shape_is_refused(name):
    detector = small_detector(name)
    channels, size = detector.in_channels, detector.image_size
    message = rf"image must have shape \(B, {channels}, {size}, {size}\), got .*in_channels and image_size"
    for shape in [
        (1, channels + 1, size, size),
        (1, channels, 2 * size, 2 * size),
        (1, channels, size, size - 1),
        (channels, size, size),
    ]:
        with pytest.raises(ValueError, match=message):
            detector(torch.rand(shape))


@torch.no_grad()
def test_plain_values_and_the_state_make_the_same_detector_again(name):
    detector, file = small_detector(name), io.BytesIO()
    torch.save({"state": detector.state_dict(), "network": SMALL[name]}, file)
    file.seek(0)
    content = torch.load(file, weights_only=True)
    assert json.loads(json.dumps(content["network"])) == SMALL[name]
    torch.manual_seed(5)
    other = make_detector({"detector": name, "network": content["network"]}).eval()
    images = small_images(detector)
    assert not torch.equal(other(images), detector(images))
    other.load_state_dict(content["state"])
    assert torch.equal(other(images), detector(images))


@torch.no_grad()
def test_a_script_and_a_trace_give_the_same_map_and_a_script_refuses_other_shapes(name):
    detector = small_detector(name)
    images = small_images(detector)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)  # TorchScript is deprecated, MONAI still exports it
        scripted = torch.jit.script(detector)
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(detector, images[:2], check_trace=False)
    expected = detector(images)
    tolerance = 1e-5 * float(expected.abs().max())
    torch.testing.assert_close(scripted(images), expected, rtol=1e-4, atol=tolerance)
    torch.testing.assert_close(traced(images), expected, rtol=1e-4, atol=tolerance)
    if hasattr(detector, "reconstruct"):
        torch.testing.assert_close(scripted.reconstruct(images), detector.reconstruct(images))
    with pytest.raises(torch.jit.Error, match="image must have shape"):
        scripted(images[:, :, :-1])
