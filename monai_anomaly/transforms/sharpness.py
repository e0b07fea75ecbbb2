# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Images of equal sharpness: a control for data in which blur alone tells the classes apart."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection, NdarrayOrTensor
from monai.transforms.transform import MapTransform, Transform
from monai.utils.enums import TransformBackends
from torch import Tensor

__all__ = [
    "EqualizeSharpness",
    "EqualizeSharpnessD",
    "EqualizeSharpnessDict",
    "EqualizeSharpnessd",
    "blur",
    "sharpness",
]

MIN_STD = 1e-3
FIRST_SIGMA = 0.25
HALVINGS = 12


def sharpness(images: Tensor) -> Tensor:
    """Return the mean gradient magnitude in units of the image's standard deviation, per pixel, ``(N,)``.

    No change of brightness and contrast changes it (but clipping). Gradients are differences of neighboring pixels,
    none across the border; both means are taken over all channels and pixels. The mean, and not the root of the mean
    square or the variance of the Laplacian, as in those two a few letters and markers outweigh the picture. An image
    whose standard deviation is below 1e-3 has no sharpness: 0.

    Args:
        images: float ``(N, C, H, W)`` in [0, 1].

    Raises:
        ValueError: for another number of dimensions.
    """
    if images.ndim != 4:
        raise ValueError(f"images must have the shape (N, C, H, W), got {tuple(images.shape)}; add the batch's axis.")
    values = images.double()
    flat = values.flatten(1).std(1, correction=0) < MIN_STD
    return torch.where(flat, 0.0, _ratio(values))


def _ratio(values: Tensor) -> Tensor:
    """Return the same for images that are known not to be flat."""
    squared = torch.zeros_like(values)
    squared[..., :-1] += values.diff(dim=-1).square()
    squared[..., :-1, :] += values.diff(dim=-2).square()
    return squared.sqrt().flatten(1).mean(1) / values.flatten(1).std(1, correction=0)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image with its own discrete Gaussian; borders are mirrored, so that no image gets darker there.

    The discrete Gaussian (Lindeberg, PAMI 1990) solves the heat equation on the pixel grid: its weights are positive at
    every width, where a sampled Gaussian below half a pixel is not one any more, so more blur is always less detail and
    no value leaves the image's range. In the cosine transform it is one factor per coefficient. MONAI's
    ``GaussianSmooth`` pads with zeros.

    Args:
        images: float ``(N, C, H, W)``.
        sigma: standard deviations in pixels, 0 or more, ``(N,)``.

    Returns:
        float64 ``(N, C, H, W)``.
    """
    return _Heat(images)(sigma)


class _Heat:
    """Images as cosine coefficients, to be blurred several times."""

    def __init__(self, images: Tensor) -> None:
        height, width = images.shape[-2:]
        self.down, self.across = _cosines(height).to(images.device), _cosines(width).to(images.device)
        self.coefficients = self.down @ images.double() @ self.across.T
        rates = [1 - torch.cos(math.pi * torch.arange(n, dtype=torch.float64) / n) for n in (height, width)]
        self.rate = (rates[0][:, None] + rates[1]).to(images.device)

    def __call__(self, sigma: Tensor) -> Tensor:
        kept = torch.exp(-self.rate * sigma.double().square()[:, None, None, None])
        return self.down.T @ (self.coefficients * kept) @ self.across


@lru_cache(maxsize=8)
def _cosines(n: int) -> Tensor:
    """Return the orthonormal cosine transform (DCT-II), ``(n, n)``."""
    rows, columns = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64)
    basis = torch.cos(math.pi * (columns + 0.5) * rows / n) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return basis


class EqualizeSharpness(Transform):
    """Blurs an image, as little as it takes, until its :func:`sharpness` is the target.

    Where one class is blurrier than the other, a detector may tell them apart by that alone. On images of equal
    sharpness this one number cannot do so any more. An image that is at or below the target stays as it is, so the
    target must be at or below nearly all images of the data: take a low quantile of their sharpness.

    It is no proof that a result owes nothing to blur. The sharper class is blurred more, and then has less of the
    finest detail than the other: equal in the mean, the classes may differ in each octave, the other way around in the
    finest ones. What a detector makes of that has to be measured beside it, with other statistics and simple baselines.

    Args:
        target: sharpness to reach, to 0.1 %; a number for one image size, as sharpness is per pixel.

    Raises:
        ValueError: when the target is not a positive number.
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]

    def __init__(self, target: float) -> None:
        if isinstance(target, bool) or not isinstance(target, (int, float)) or not 0 < target < math.inf:
            raise ValueError(
                f"sharpness must be a positive number, or None to leave images as they are, got {target!r}."
            )
        self.target = float(target)

    def __call__(self, image: NdarrayOrTensor) -> Tensor:
        """Return the blurred image in its own dtype, or the image itself where nothing is to be done.

        Args:
            image: float ``(C, H, W)`` in [0, 1].

        Raises:
            ValueError: when the image has another number of dimensions, or no blur reaches the target: the least that
                is left of an image is half a wave from border to border, whose sharpness is 2.8 over their distance.
        """
        values = torch.as_tensor(image)
        if values.ndim != 3:
            raise ValueError(f"An image must have the shape (C, H, W), got {tuple(values.shape)}.")
        if not bool(sharpness(values[None]) > self.target):
            return values
        return self._blurred(values[None])[0].clamp(values.min(), values.max()).to(values.dtype)

    def _blurred(self, image: Tensor) -> Tensor:
        """Return a sigma that is enough: the first of those doubling, then halving between it and the last below."""
        heat, widest = _Heat(image), max(image.shape[-2:])
        low, high = torch.zeros(1, dtype=torch.float64), torch.full((1,), FIRST_SIGMA, dtype=torch.float64)
        while self._too_sharp(result := heat(high)):
            if high > widest:  # nothing but the slightest slope is left
                raise ValueError(
                    f"No blur brings an image of {image.shape[-2]} x {image.shape[-1]} pixels to a sharpness of "
                    f"{self.target:g}; choose a larger target, such as a low quantile of the images' sharpness."
                )
            low, high = high, 2 * high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self._too_sharp(candidate := heat(middle)):
                low = middle
            else:
                high, result = middle, candidate
        return result

    def _too_sharp(self, image: Tensor) -> bool:
        return bool(_ratio(image) > self.target)


class EqualizeSharpnessd(MapTransform):
    """Dictionary form of :class:`EqualizeSharpness`.

    Args:
        keys: keys of the images, each ``(C, H, W)``.
        target: sharpness to reach.
        allow_missing_keys: whether a missing image is passed over.

    Raises:
        ValueError: when the target is not a positive number.
    """

    backend = EqualizeSharpness.backend

    def __init__(self, keys: KeysCollection, target: float, *, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.equalize = EqualizeSharpness(target)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.equalize(d[key])
        return d


EqualizeSharpnessD = EqualizeSharpnessDict = EqualizeSharpnessd
