# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The two generators of SimSID: features of patches, painted anew from memories, to an image.

Both work in three steps with one interface. ``encode`` gives features, a list of tensors; ``inpaint`` replaces them by
what the memories know, and also gives the tokens that a memory which is not learned may store; ``decode`` gives the
outputs of all steps of the student decoder, the image's logits last. ``make_teacher`` makes a decoder of the same shape
without memories, which takes the features as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_anomaly.networks.blocks.memory.feature_inpainting import FeatureInpainting
from monai_anomaly.networks.blocks.memory.hierarchical_memory import HierarchicalMemory
from monai_anomaly.networks.blocks.memory.inpainting import TransformerInpainting
from monai_anomaly.networks.blocks.memory.space_aware_memory import SpaceAwareMemory
from monai_anomaly.networks.blocks.memory.window_memory import WindowMemory
from monai_anomaly.networks.blocks.patch_grid import PatchGrid
from monai_anomaly.networks.nets.simsid.tokens import PatchCNN, TokenDecoder
from monai_anomaly.networks.nets.simsid.unet import ResidualUNetEncoder, UNetDecoder

__all__ = ["TokenGenerator", "UNetGenerator", "make_generator"]


class UNetGenerator(nn.Module):
    """Generator of SQUID and SimSID: residual U-Net on patches, in-painting at the bottleneck, memories in the decoder.

    Args:
        image_size: height and width of the image, in pixels, or one number for both.
        in_channels: channels of the image.
        grid: rows and columns of patches, or one number for both.
        channels: widths from full size to the bottleneck; the decoder has the same, backwards.
        skips: number of deepest decoder steps that take a skip connection.
        merge_at: number of decoder steps on single patches; the others see the whole image.
        token_channels: width of the bottleneck's narrowed features.
        slots: rows of each memory.
        memory: further arguments of the bottleneck's :class:`.SpaceAwareMemory`.
        decoder_memories: number of decoder steps, from the deepest, that have a :class:`.WindowMemory`; all within the
            steps on single patches. None of them makes SimSID's memory flat.
        decoder_memory: further arguments of theirs; they are always learned.
        window_grid: rows and columns of their windows.
        shortcut: of the bottleneck, see :class:`.FeatureInpainting`.
        decoder_shortcut: of the decoder's memories, see :class:`.WindowMemory`.
        heads: of the in-painting's attention.
        hidden: width of its feed-forward part.
        neighborhood: side of its window, in patches.
        mask_border: see :class:`.CrossAttentionInpainting`.

    Raises:
        ValueError: on a grid that does not divide the image, or any argument outside its range.

    Source: SQUID (Xiang et al., CVPR 2023, https://arxiv.org/abs/2111.13495); SimSID (Xiang et al., TPAMI 2024,
    https://arxiv.org/abs/2403.08689).
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 128,
        in_channels: int = 1,
        *,
        grid: int | Sequence[int] = 2,
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        skips: int = 2,
        merge_at: int = 2,
        token_channels: int = 128,
        slots: int = 200,
        memory: Mapping[str, Any] | None = None,
        decoder_memories: int = 2,
        decoder_memory: Mapping[str, Any] | None = None,
        window_grid: int | Sequence[int] = 2,
        shortcut: float = 1.0,
        decoder_shortcut: float = 1.0,
        heads: int = 8,
        hidden: int = 512,
        neighborhood: int = 3,
        mask_border: bool = True,
    ) -> None:
        super().__init__()
        self.patches = PatchGrid(image_size, grid=grid)
        steps = len(channels) - 1
        if not 0 <= skips <= steps:
            raise ValueError(f"skips must lie in [0, {steps}], the number of decoder steps, got {skips}.")
        if not 0 <= decoder_memories <= merge_at:
            raise ValueError(f"decoder_memories must lie in [0, {merge_at}], up to merge_at, got {decoder_memories}.")
        if not _is_learned(decoder_memory):
            raise ValueError("the decoder's memories must be learned, nothing else writes them; set write of memory.")
        height, width = (side >> steps for side in self.patches.patch_size)
        if (height << steps, width << steps) != self.patches.patch_size or min(height, width) < 1:
            raise ValueError(
                f"the sides of a patch must be multiples of {1 << steps} for {len(channels)} channels, got "
                f"{self.patches.patch_size}; change image_size or grid, or shorten channels."
            )
        shape = (self.patches.rows, self.patches.cols)
        self.encoder = ResidualUNetEncoder(in_channels, channels=channels)
        dim = token_channels * height * width
        self.learned = _is_learned(memory)
        self.bottleneck = FeatureInpainting(
            shape,
            (channels[-1], height, width),
            token_channels,
            SpaceAwareMemory(self.patches.locations, slots, dim, **(memory or {})),
            heads=heads,
            hidden=hidden,
            neighborhood=neighborhood,
            mask_border=mask_border,
            shortcut=shortcut,
        )
        widths = list(channels)[::-1]
        self.skips = skips
        self._decoder_args: dict[str, Any] = {
            "grid": shape,
            "out_channels": in_channels,
            "channels": widths,
            "skip_channels": [width if i < skips else 0 for i, width in enumerate(widths[1:])],
            "merge_at": merge_at,
        }
        self.decoder = UNetDecoder(
            **self._decoder_args,
            memories=[
                WindowMemory(
                    window_grid,
                    (widths[i + 1], height << (i + 1), width << (i + 1)),
                    slots,
                    shortcut=decoder_shortcut,
                    **(decoder_memory or {}),
                )
                if i < decoder_memories
                else None
                for i in range(steps)
            ],
        )

    @torch.jit.export
    def encode(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, C, H, W)`` to the decoder's skip maps, from fine to deep, and the bottleneck, of all patches."""
        maps: list[Tensor] = self.encoder(self.patches.split(image).flatten(0, 1))
        return maps[len(maps) - 1 - self.skips :]

    @torch.jit.export
    def inpaint(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Features with the bottleneck painted anew, and the tokens ``(B, P, D)`` that asked for it."""
        painted, tokens = self.bottleneck(features[-1])
        return features[:-1] + [painted], tokens  # noqa: RUF005 (TorchScript knows no unpacking)

    @torch.jit.export
    def decode(self, features: list[Tensor]) -> list[Tensor]:
        """Features to the outputs of all steps, the image's logits ``(B, C, H, W)`` last."""
        outputs: list[Tensor] = self.decoder(features[-1], features[:-1])
        return outputs

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, C, H, W)`` to the logits of what the student makes of it."""
        return self.decode(self.inpaint(self.encode(image))[0])[-1]

    @torch.jit.unused
    def remember(self, tokens: Tensor) -> None:
        """Store the tokens of normal images in the bottleneck's memory, unless that is learned."""
        if not self.learned:
            self.bottleneck.memory.write(tokens)

    @torch.jit.unused
    def make_teacher(self) -> nn.Module:
        """Return a decoder like the student's, without memories."""
        return _UNetTeacher(UNetDecoder(**self._decoder_args))


class _UNetTeacher(nn.Module):
    def __init__(self, decoder: UNetDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return self.decoder(features[-1], features[:-1])


class TokenGenerator(nn.Module):
    """Generator of the report: patch CNN, hierarchical memory, transformer in-painting, transposed convolutions.

    Args:
        image_size: height and width of the image, in pixels, or one number for both.
        in_channels: channels of the image.
        grid: rows and columns of patches, or one number for both.
        channels: widths of the patch CNN.
        dim: length of a token.
        memory: further arguments of the :class:`.HierarchicalMemory`.
        inpainting: further arguments of the :class:`.TransformerInpainting`.
        stem: first layer of the decoder, see :class:`.TokenDecoder`.
        stem_size: side of the "fc" stem's map.
        decoder_channels: widths of the decoder, None for 256, 128 and so on.

    Raises:
        ValueError: on a grid that does not divide the image, or any argument outside its range.

    Source: S. R., "Unsupervised Anomaly Detection using SimSID algorithm", Anna University, 2025, Algorithms 4.1 to
    4.8.
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 128,
        in_channels: int = 1,
        *,
        grid: int | Sequence[int] = 8,
        channels: Sequence[int] = (32, 64, 128, 256),
        dim: int = 64,
        memory: Mapping[str, Any] | None = None,
        inpainting: Mapping[str, Any] | None = None,
        stem: str = "fc",
        stem_size: int = 8,
        decoder_channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.patches = PatchGrid(image_size, grid=grid)
        shape = (self.patches.rows, self.patches.cols)
        self.encoder = PatchCNN(in_channels, self.patches.patch_size, channels=channels, dim=dim)
        self.memory = HierarchicalMemory(shape, dim, **(memory or {}))
        self.learned = _is_learned(memory)
        self.inpainting = TransformerInpainting(shape, dim, memory_dim=self.memory.out_dim, **(inpainting or {}))
        self._decoder_args: dict[str, Any] = {
            "grid": shape,
            "dim": dim,
            "out_channels": in_channels,
            "image_size": self.patches.image_size,
            "stem": stem,
            "stem_size": stem_size,
            "channels": decoder_channels,
        }
        self.decoder = TokenDecoder(**self._decoder_args)

    @torch.jit.export
    def encode(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, C, H, W)`` to its tokens ``(B, P, D)``, alone in a list."""
        return [self.encoder(self.patches.split(image))]

    @torch.jit.export
    def inpaint(self, features: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Tokens painted anew, and the tokens ``(B, P, D)`` that asked for it."""
        return [self.inpainting(features[-1], self.memory(features[-1]))], features[-1]

    @torch.jit.export
    def decode(self, features: list[Tensor]) -> list[Tensor]:
        """Tokens to the outputs of all steps, the image's logits ``(B, C, H, W)`` last."""
        outputs: list[Tensor] = self.decoder(features[-1])
        return outputs

    def forward(self, image: Tensor) -> Tensor:
        """Image ``(B, C, H, W)`` to the logits of what the student makes of it."""
        return self.decode(self.inpaint(self.encode(image))[0])[-1]

    @torch.jit.unused
    def remember(self, tokens: Tensor) -> None:
        """Store the tokens of normal images in the memory, unless that is learned."""
        if not self.learned:
            self.memory.write(tokens)

    @torch.jit.unused
    def make_teacher(self) -> nn.Module:
        """Return a decoder like the student's."""
        return _TokenTeacher(TokenDecoder(**self._decoder_args))


class _TokenTeacher(nn.Module):
    def __init__(self, decoder: TokenDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return self.decoder(features[-1])


def make_generator(kind: str = "unet", **arguments: Any) -> UNetGenerator | TokenGenerator:
    """Return a generator by its name.

    Args:
        kind: "unet", :class:`UNetGenerator`, or "tokens", :class:`TokenGenerator`.
        arguments: of that class.

    Raises:
        ValueError: on another name, or an argument that the class does not know or refuses.
    """
    classes: dict[str, type[UNetGenerator] | type[TokenGenerator]] = {"unet": UNetGenerator, "tokens": TokenGenerator}
    if kind not in classes:
        raise ValueError(f"the generator's kind must be one of {', '.join(map(repr, classes))}, got {kind!r}.")
    try:
        return classes[kind](**arguments)
    except TypeError as error:
        problem = str(error).split("__init__() ")[-1]
        raise ValueError(f"generator {kind!r}: {problem}; see {classes[kind].__name__}.") from error


def _is_learned(memory: Mapping[str, Any] | None) -> bool:
    return (memory or {}).get("write", "learned") == "learned"
