# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""OCAD's detectors, small enough for tests, and its errors written out."""

from __future__ import annotations

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import nn

from monai_anomaly.networks.nets.ocad.ocad import OCAD

SIZE = 16  # which leaves room for one scale of the structural similarity's window

VECTOR = {
    "encoder": {"channels": (6, 8), "heads": 2, "head_dim": 4},
    "decoder": {"channels": (8, 6)},
    "latent_channels": 5,
}
MAP = {**VECTOR, "latent": "map", "latent_channels": 3, "spread": "full"}
RESNET = {
    "encoder": {"kind": "resnet18"},
    "decoder": {"kind": "residual", "channels": (8,)},
    "latent_channels": 4,
    "spread": "scalar",
}
RECIPES = {"vector": VECTOR, "map": MAP, "resnet": RESNET}


def make_detector(recipe=VECTOR, channels=3, *, seed=0, **options):
    """A detector in evaluation mode, with statistics away from where they start and pictures away from black."""
    torch.manual_seed(seed)
    detector = OCAD(SIZE, channels, **{**recipe, **options})
    with torch.no_grad():
        for name, parameter in detector.named_parameters():
            if name.endswith("bias") and not name.startswith("encoder.body"):
                parameter.normal_(std=0.3)
        last = [m for m in detector.decoder.modules() if isinstance(m, nn.Conv2d)][-1]
        last.weight.mul_(5.0)
        detector.eval()
        detector.fit_descriptor(make_images(detector, 9, seed=7), detector.descriptor)
        detector.score_mean.copy_(torch.tensor([0.3, 0.8]))
        detector.score_std.copy_(torch.tensor([0.2, 1.5]))
    return detector


def make_images(detector, count=4, seed=1):
    """Uniform noise of some contrast each, in the detector's range."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, detector.in_channels, SIZE, SIZE, generator=generator)
    contrast = torch.rand(count, 1, 1, 1, generator=generator)
    return (0.5 + contrast * (noise - 0.5)) * detector.width + detector.low


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module, before):
    """Names of the state's tensors that are no longer what they were, bit for bit."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def similarity(x, y):
    """scikit-image's structural similarity of images ``(C, S, S)`` in [0, 1], where the window fits."""
    maps = []
    for a, b in zip(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), strict=True):
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        maps.append(structural_similarity(a, b, full=True, **options)[1][5:-5, 5:-5])
    return np.stack(maps)


def distance(latent, descriptor):
    """The squared distance of one latent ``(D,)`` to the center, in units of the spread, an axis at a time."""
    channels = len(latent)
    axes = descriptor.axes.tolist() if descriptor.spread == "full" else torch.eye(channels).tolist()
    offset = [float(value) - float(center) for value, center in zip(latent, descriptor.center, strict=True)]
    total = 0.0
    for axis, variance in zip(axes, descriptor.variance.tolist(), strict=True):
        total += sum(a * o for a, o in zip(axis, offset, strict=True)) ** 2 / variance
    return total / channels
