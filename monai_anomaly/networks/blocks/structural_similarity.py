# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MultiScaleSSIM"]

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the levels, from fine to coarse, as published
_K1, _K2 = 0.01, 0.03
_LEAST = 1e-4  # similarity of a level that has none: the slope of a small power is endless at 0


class MultiScaleSSIM(nn.Module):
    """Structural similarity of two images on several scales, and a map of where they differ.

    Contrast and structure of every level but the last, and the whole SSIM of the last, are averaged over channels and
    positions, clamped from below at 1e-4, raised to the level's share and multiplied. Each level has half the side of
    the one before; of an odd side the last row is kept. A level below 1e-4 has no gradient; the others keep theirs.

    MONAI's ``compute_ms_ssim`` gives the same numbers for a side that halves evenly, but refuses some that are large
    enough (81 to 98 pixels for 4 levels), is 0 without a gradient once a level is negatively correlated, computes in
    bfloat16 under autocast, has no map and cannot be scripted; and on a CPU it takes 3 to 4 times as long, for
    images of one channel 16 times or more.

    Nothing here is learned or saved. Computed in float32, under autocast too; scripted code takes the autocast of its
    caller.

    Args:
        image_size: height and width of the images, in pixels.
        data_range: difference between the largest and the smallest value that images can have; those should not be
            many times larger than it, or float32 does not hold the variances.
        window: side of the Gaussian window, in pixels; odd.
        sigma: standard deviation of the window, in pixels.
        levels: number of scales; None takes as many, up to 5, as leave room for the window:
            ``image_size > (window - 1) * 2 ** (levels - 1)``.

    Attributes:
        levels: number of scales.
        shares: exponents of the levels, the first of the published weights divided by their sum.

    Raises:
        ValueError: on an argument out of range; when called, on images of another shape.

    Source: Wang et al., "Multiscale structural similarity for image quality assessment", Asilomar 2003; Wang et al.,
    "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004. The map is that of Chen
    et al., "Deep one-class classification via interpolated Gaussian descriptor", AAAI 2022,
    https://arxiv.org/abs/2101.10043, with the mean over channels in place of gray weights.
    """

    def __init__(
        self,
        image_size: int,
        *,
        data_range: float = 1.0,
        window: int = 11,
        sigma: float = 1.5,
        levels: int | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 < data_range < float("inf") or not 0.0 < sigma < float("inf"):
            raise ValueError(f"data_range and sigma must be positive and finite, got {data_range} and {sigma}.")
        if window < 3 or window % 2 == 0:
            raise ValueError(f"window must be odd and at least 3, got {window}.")
        most = sum(image_size > (window - 1) * 2**level for level in range(len(_WEIGHTS)))
        if most == 0:
            raise ValueError(
                f"window must fit into the image of side {image_size}, got {window}; use a smaller window."
            )
        if levels is not None and not 1 <= levels <= most:
            raise ValueError(
                f"levels must lie in [1, {most}] for images of side {image_size} and a window of {window}, "
                f"got {levels}; use fewer levels or a smaller window."
            )
        self.image_size = image_size
        self.window = window
        self.levels = most if levels is None else levels
        self.shares = tuple(weight / sum(_WEIGHTS[: self.levels]) for weight in _WEIGHTS[: self.levels])
        self.c1, self.c2, self.least = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2, _LEAST
        distance = torch.arange(window) - window // 2
        self.register_buffer("profile", torch.softmax(-0.5 * (distance / sigma).square(), dim=0), persistent=False)
        self.profile: Tensor

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Images ``(B, C, S, S)``, pairwise, to their similarity ``(B,)``, float32: 1 if equal, symmetric."""
        self._check(x, y)
        if torch.jit.is_scripting():
            similarity = self._similarity(x, y)
        else:
            with torch.autocast(x.device.type, enabled=False):
                similarity = self._similarity(x, y)
        return similarity

    @torch.jit.export
    def dissimilarity_map(self, x: Tensor, y: Tensor) -> Tensor:
        """Images ``(B, C, S, S)``, pairwise, to how unlike each position is, ``(B, 1, S, S)``, float32, in [0, 1].

        The sum over the levels of share times ``1 - max(SSIM, 0)``, averaged over channels, each level with square
        pixels brought to full size. The window does not reach over the border: its last value is repeated outwards.
        """
        self._check(x, y)
        if torch.jit.is_scripting():
            dissimilarity = self._dissimilarity(x, y)
        else:
            with torch.autocast(x.device.type, enabled=False):
                dissimilarity = self._dissimilarity(x, y)
        return dissimilarity

    def _check(self, x: Tensor, y: Tensor) -> None:
        if torch.jit.is_tracing():  # type: ignore[attr-defined]
            return
        if x.shape != y.shape or x.dim() != 4 or x.shape[2] != self.image_size or x.shape[3] != self.image_size:
            raise ValueError(
                f"x and y must both be (B, C, {self.image_size}, {self.image_size}), got {list(x.shape)} and "
                f"{list(y.shape)}; make the module with the images' size."
            )

    def _similarity(self, x: Tensor, y: Tensor) -> Tensor:
        images = x.shape[0]
        x, y = self._fold(x), self._fold(y)
        similarity = torch.ones(images, device=x.device)
        for level, share in enumerate(self.shares):
            if level > 0:
                x, y = self._halve(x), self._halve(y)
            compared = self._compare(x, y, luminance=level == self.levels - 1)
            mean = compared.mean(dim=(2, 3)).reshape(images, -1).mean(dim=1)
            similarity = similarity * mean.clamp(min=self.least) ** share
        return similarity

    def _dissimilarity(self, x: Tensor, y: Tensor) -> Tensor:
        images, channels, size = x.shape[0], x.shape[1], self.image_size
        x, y = self._fold(x), self._fold(y)
        total = torch.zeros(images, 1, size, size, device=x.device)
        border = [self.window // 2] * 4
        for level, share in enumerate(self.shares):
            if level > 0:
                x, y = self._halve(x), self._halve(y)
            unlike = (1.0 - self._compare(x, y, luminance=True)).clamp(0.0, 1.0)
            side = unlike.shape[2]
            unlike = unlike.reshape(images, channels, side, side).mean(dim=1, keepdim=True)
            unlike = F.pad(unlike, border, mode="replicate")
            unlike = F.interpolate(unlike, scale_factor=float(2**level), mode="nearest")
            total = total + share * unlike[:, :, :size, :size]
        return total

    def _fold(self, x: Tensor) -> Tensor:
        """Images ``(B, C, S, S)`` to ``(1, B * C, S, S)``, float32: a convolution of many channels, each by itself, is
        the fastest. In an exported graph, which cannot hold a number of channels for any batch, ``(B * C, 1, S, S)``.
        """
        exported = False
        if not torch.jit.is_scripting():
            exported = torch.jit.is_tracing() or torch.compiler.is_exporting()  # type: ignore[attr-defined]
        shape = [-1, 1, self.image_size, self.image_size] if exported else [1, -1, self.image_size, self.image_size]
        return x.float().reshape(shape)

    def _halve(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel_size=2, ceil_mode=True)

    def _compare(self, x: Tensor, y: Tensor, luminance: bool) -> Tensor:
        """Contrast and structure, with luminance the SSIM, where the window fits: each side is ``window - 1`` less.

        Written in sum and difference of the images: float32 keeps the small variance of a difference, but loses the
        covariance of bright smooth images.
        """
        total, difference = x + y, x - y
        mean_t, mean_d = self._smooth(total).square(), self._smooth(difference).square()
        variance_t, variance_d = self._smooth(total.square()) - mean_t, self._smooth(difference.square()) - mean_d
        similarity = 1.0 - 2.0 * variance_d / (variance_t + variance_d + 2.0 * self.c2)
        if luminance:
            similarity = similarity * (1.0 - 2.0 * mean_d / (mean_t + mean_d + 2.0 * self.c1))
        return similarity

    def _smooth(self, x: Tensor) -> Tensor:
        """Return the window's weighted mean around each position, by rows and then by columns."""
        maps = x.shape[1]
        rows = self.profile.reshape(1, 1, 1, -1).expand(maps, -1, -1, -1)
        columns = self.profile.reshape(1, 1, -1, 1).expand(maps, -1, -1, -1)
        return F.conv2d(F.conv2d(x, rows, groups=maps), columns, groups=maps)
