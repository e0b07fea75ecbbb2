# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Inference of a consensus, whose members are left out of the images that their guards refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.engines.image_inferer import ImageInferer
from monai_anomaly.guard.member_guards import MemberGuards
from monai_anomaly.networks.nets.consensus.consensus import Consensus
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["ConsensusInferer", "Said"]

NOT_FINITE = "its map has values that are not finite."


@dataclass(frozen=True)
class Said:
    """What the members of a consensus say of an image.

    Args:
        members: ``z`` of each member by its name; None of one that does not count.
        left_out: why a member does not apply, one sentence each, by its name.
    """

    members: dict[str, float | None]
    left_out: dict[str, str]


class ConsensusInferer(ImageInferer):
    """Maps of a consensus without the members whose guards refuse an image; with all of them where all refuse.

    Args:
        guards: the members'.
        held_out: whether to score a held-out normal of the consensus as if its patient had not been there, which a
            calibration asks for.
        precision: ``"float32"`` only, as what the members say is computed once more, and in that.

    Raises:
        ConfigError: for another precision.
    """

    def __init__(self, guards: MemberGuards, held_out: bool = False, precision: str = "float32") -> None:
        if precision != "float32":
            raise ConfigError(f"a consensus scores in float32, not in {precision!r}; leave precision out.")
        super().__init__()
        self.guards = guards
        self.held_out = held_out

    def __call__(self, inputs: Tensor, network: Consensus, *args: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Return the maps ``(B, 1, H, W)`` of images ``(B, C, H, W)``.

        Args:
            inputs: the images.
            network: the consensus.
            *args: passed to it.
            **kwargs: passed to it.
        """

        def guarded(images: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            counted = self.guards.counted(self.guards.refusals(images)).to(images.device)
            return network.guarded_map(images, counted, *args, held_out=self.held_out, **kwargs)

        return super().__call__(inputs, guarded, *args, **kwargs)

    @torch.no_grad()
    def said(self, image: Tensor, network: Consensus) -> Said:
        """Ask the members once more, one forward pass, what they say of an image ``(C, S, S)``.

        Args:
            image: on any device.
            network: the consensus, in evaluation mode.
        """
        (refusals,) = self.guards.refusals(image[None])
        terms = network.score_terms(image[None].to(network.evidence.center.device))[0].double().cpu()
        members: dict[str, float | None] = {}
        left_out = dict(refusals)
        counted = self.guards.counted([refusals])[0].tolist()
        for name, z, counts, finite in zip(self.guards.names, terms.tolist(), counted, terms.isfinite(), strict=True):
            members[name] = z if counts and finite else None
            if not finite:
                left_out.setdefault(name, NOT_FINITE)
        return Said(members, left_out)
