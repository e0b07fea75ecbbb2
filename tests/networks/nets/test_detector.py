# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.standardized_detector import StandardizedDetector


class Brightness(StandardizedDetector):
    """The image itself is the map; its mean and its largest value are the raw scores."""

    def anomaly_map(self, image: Tensor) -> Tensor:
        score = self.standardize(self.raw_scores(image)).amax(dim=1)
        return self.shift_to_score(image, score)

    def raw_scores(self, image: Tensor) -> Tensor:
        pixels = image.flatten(1)
        return torch.stack([pixels.mean(dim=1), pixels.amax(dim=1)], dim=1)


class Image(Detector):
    """The image itself is the map."""

    def anomaly_map(self, image: Tensor) -> Tensor:
        return image


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 3, 8, 8), (2, 1, 8, 9), (2, 1, 9, 8)])
@pytest.mark.parametrize("scripted", [False, True])
def test_an_image_of_another_shape_is_refused(shape, scripted):
    detector = Image(8, 1)
    with pytest.raises((ValueError, torch.jit.Error), match=r"image must have shape \(B, 1, 8, 8\), got \["):
        (torch.jit.script(detector) if scripted else detector)(torch.zeros(shape))


def test_the_check_is_left_out_of_a_trace():
    traced = torch.jit.trace(Image(8, 1), torch.zeros(1, 1, 8, 8))
    assert traced(torch.ones(3, 1, 8, 8)).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("scripted", [False, True])
def test_a_shifted_map_has_the_score_as_its_mean_and_keeps_its_shape(scripted):
    detector = Brightness(8, 1, raw_scores=2)
    image = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    anomaly = (torch.jit.script(detector) if scripted else detector)(image)
    torch.testing.assert_close(anomaly.mean(dim=(1, 2, 3)), image.flatten(1).amax(dim=1))
    offset = (anomaly - image).flatten(1)
    torch.testing.assert_close(offset, offset[:, :1].expand_as(offset))


def test_statistics_are_the_mean_and_deviation_of_all_images_in_any_batches():
    images = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    detector = Brightness(8, 1, raw_scores=2).train()
    detector.fit_scores(images, batch_size=3)
    raw = torch.stack([images.mean(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1).double()
    torch.testing.assert_close(detector.score_mean.double(), raw.mean(dim=0), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(detector.score_std.double(), raw.std(dim=0, correction=0) + 1e-8, rtol=1e-5, atol=1e-7)
    assert detector.training
    assert set(detector.state_dict()) == {"score_mean", "score_std"}


def test_one_normal_has_no_spread():
    with pytest.raises(ValueError, match="at least 2 training normals, got 1"):
        Brightness(8, 1, raw_scores=2).fit_scores(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(("kind", "name"), [(Detector, "anomaly_map"), (StandardizedDetector, "anomaly_map")])
def test_a_method_that_writes_no_map_is_told(kind, name):
    detector = kind(8, 1) if kind is Detector else kind(8, 1, 1)
    with pytest.raises(NotImplementedError, match=name):
        detector(torch.zeros(1, 1, 8, 8))


def test_weights_are_taken_out_of_a_whole_checkpoint():
    detector, other = Brightness(8, 1, raw_scores=2), Brightness(8, 1, raw_scores=2)
    weights = {key: value + 1 for key, value in other.state_dict().items()}
    for given in (weights, {"model": weights, "spec": {}, "map_range": (0, 1)}):
        assert str(detector.load_state_dict(given)) == "<All keys matched successfully>"
        assert all(torch.equal(detector.state_dict()[key], value) for key, value in weights.items())
    with pytest.raises(RuntimeError, match="Unexpected key"):
        detector.load_state_dict({"model": weights})
