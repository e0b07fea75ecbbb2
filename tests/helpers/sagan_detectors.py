# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""SAGAN's detectors, small enough for tests, and its score written out."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from monai_anomaly.networks.nets.sagan.sagan import POOLINGS, SAGAN

SIZE = 32  # the least for a grid of two
GENERATOR = {"channels": 4, "residual_blocks": 1}
SUMS = {"mean": ("mean",), "focal": ("focal",), "either": ("focal", "mean")}  # of the map, by pooling
assert set(SUMS) == set(POOLINGS)


def make_detector(pooling="mean", channels=1, *, seed=0, generator=None, fitted=True, **options):
    """A detector in evaluation mode; what starts at zero or one and the scores' statistics are moved from there."""
    torch.manual_seed(seed)
    detector = SAGAN(SIZE, channels, generator={**GENERATOR, **(generator or {})}, pooling=pooling, **options)
    with torch.no_grad():
        for name, parameter in detector.generator.named_parameters():
            if parameter.ndim < 3:
                nn.init.normal_(parameter, 1.0 if name.endswith("weight") else 0.0, 0.3)
        if fitted:
            detector.score_mean.copy_(torch.tensor([0.5, 0.2])[: len(SUMS[pooling])])
            detector.score_std.copy_(torch.tensor([0.08, 0.03])[: len(SUMS[pooling])])
            if detector.per_position:
                detector.position_mean.uniform_(0.0, 0.3)
                detector.position_std.uniform_(0.02, 0.3)
    return detector.eval()


def make_images(detector, count=4, seed=1):
    """Noise of a contrast for each image, in the detector's range."""
    generator = torch.Generator().manual_seed(seed)
    noise = 2.0 * torch.rand(count, detector.in_channels, SIZE, SIZE, generator=generator) - 1.0
    return detector.unsignal(noise * torch.rand(count, 1, 1, 1, generator=generator))


@torch.no_grad()
def change_of(detector, image):
    """``|x - G(x)| / 2`` of one image, mean of the channels, ``(S, S)``."""
    picture = detector.reconstruct(image[None])[0].double().numpy()
    return np.abs(image.double().numpy() - picture).mean(axis=0) / (2.0 * detector.half_width)


def smoothed(change, smoothing=5):
    return ndimage.uniform_filter(change, smoothing, mode="nearest")


def sums_of(change, pooling, *, fraction=0.02, smoothing=5, position=(0.0, 1.0)):
    """What one map is summed up to, before it is standardized; `position` is mean and deviation of each pixel."""
    local = (smoothed(change, smoothing) - position[0]) / position[1]
    count = max(1, round(fraction * change.size))
    found = {"focal": np.sort(local, axis=None)[-count:].mean(), "mean": change.mean()}
    return np.array([found[name] for name in SUMS[pooling]])


def position_of(detector):
    """Mean and deviation ``(S, S)`` of the normals' smoothed maps."""
    return detector.position_mean[0, 0].double().numpy(), detector.position_std[0, 0].double().numpy()


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module, before):
    """Names of the state's tensors that are no longer what they were, bit for bit."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
