# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["WinogradConv2d"]

_TILE = 4  # output positions of a tile, a side; it sees two more and takes as many products
_SEEN = _TILE + 2
_LEAST_WIDTH = 128
_LEAST_TILES = 64
_MOST_SIDE = 32  # on larger maps the transforms take what the products save

# Transforms of input, weights and output for the points 0, 1, -1, 2, -2 and infinity.
_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_WEIGHT = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class WinogradConv2d(nn.Conv2d):
    """A 3x3 convolution that keeps the size, in a quarter of the multiplications where that pays.

    In training mode on a CPU in float32, wide layers on maps whose sides are multiples of four work on tiles, which
    takes half of the time on small maps. The result is that of the convolution up to about 1e-5 of its size. Everywhere
    else, in evaluation mode above all, it is ``torch.nn.Conv2d`` itself. GPUs' libraries have the same algorithm.

    Args:
        in_channels: C.
        out_channels: K.
        bias: learn an offset per channel.

    Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016,
    https://arxiv.org/abs/1509.09308.

    Example:
        >>> WinogradConv2d(128, 128)(torch.rand(64, 128, 4, 4)).shape
        torch.Size([64, 128, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=bias)
        self.wide = min(in_channels, out_channels) >= _LEAST_WIDTH

    @classmethod
    def in_place_of(cls, conv: nn.Conv2d) -> WinogradConv2d:
        """Return one with the parameters of a 3x3 convolution that keeps the size; no random number is drawn."""
        with torch.device("meta"):
            made = cls(conv.in_channels, conv.out_channels, bias=conv.bias is not None)
        made.weight, made.bias = conv.weight, conv.bias
        return made

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, K, H, W)``."""
        if not torch.jit.is_scripting():  # alone in its line, so that nothing below is translated
            if self.training and self.wide and self._pays(x):
                return self._by_tiles(x)
        return F.conv2d(x, self.weight, self.bias, padding=1)

    def _pays(self, x: Tensor) -> bool:
        tiles = x.shape[0] * x.shape[2] * x.shape[3] // _TILE**2
        whole = x.shape[2] % _TILE == 0 and x.shape[3] % _TILE == 0 and max(x.shape[2], x.shape[3]) <= _MOST_SIDE
        plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        return plain and whole and tiles >= _LEAST_TILES

    def _by_tiles(self, x: Tensor) -> Tensor:
        (b, c, h, w), k = x.shape, self.out_channels
        rows, cols = h // _TILE, w // _TILE
        weight = _weight_transform() @ self.weight.permute(2, 3, 1, 0).reshape(9, c * k)  # (36, C K)

        # Rows first, then columns, in channels_last; position in the tile before the tile.
        seen = _times(_input_transform(h), x.permute(0, 2, 3, 1).reshape(b, h, w * c)).view(b * _SEEN * rows, w, c)
        seen = _times(_input_transform(w), seen).view(b, _SEEN, rows, _SEEN, cols, c)
        seen = seen.permute(1, 3, 0, 2, 4, 5).flatten(0, 1).flatten(1, 3)  # (36, tiles, C), a copy but for one tile

        products = torch.bmm(seen, weight.view(_SEEN**2, c, k)).view(_SEEN, _SEEN, b, rows, cols, k)
        products = products.permute(2, 0, 3, 1, 4, 5).reshape(b * _SEEN * rows, _SEEN * cols, k)

        y = _times(_output_transform(w), products).view(b, _SEEN * rows, w * k)
        y = _times(_output_transform(h), y).view(b, h, w, k).permute(0, 3, 1, 2)
        return y if self.bias is None else y + self.bias[:, None, None]


def _times(matrix: Tensor, x: Tensor) -> Tensor:
    """Multiply a matrix ``(P, Q)`` with each of ``(N, Q, R)``; torch.matmul would copy them."""
    return torch.bmm(matrix.expand(len(x), -1, -1), x)


@lru_cache(maxsize=1)
def _weight_transform() -> Tensor:
    matrix = torch.tensor(_WEIGHT)
    return torch.kron(matrix, matrix)  # (36, 9)


@lru_cache(maxsize=32)
def _input_transform(side: int) -> Tensor:
    """Of a zero-padded side to the positions of all its tiles, ``(6 * tiles, side)``."""
    tiles = side // _TILE
    matrix = torch.zeros(_SEEN, tiles, side + 2)
    for tile in range(tiles):
        matrix[:, tile, _TILE * tile : _TILE * tile + _SEEN] = torch.tensor(_INPUT, dtype=matrix.dtype)
    return matrix[..., 1:-1].flatten(0, 1)


@lru_cache(maxsize=32)
def _output_transform(side: int) -> Tensor:
    """Of the positions of all tiles to a side, ``(side, 6 * tiles)``."""
    tiles = side // _TILE
    matrix = torch.zeros(tiles, _TILE, _SEEN, tiles)
    for tile in range(tiles):
        matrix[tile, :, :, tile] = torch.tensor(_OUTPUT, dtype=matrix.dtype)
    return matrix.reshape(side, _SEEN * tiles)
