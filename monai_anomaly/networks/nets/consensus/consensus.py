# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monai_anomaly.networks.nets.consensus.joint_evidence import JointEvidence
from monai_anomaly.networks.nets.consensus.member_view import MemberView
from monai_anomaly.networks.nets.detector import Detector
from monai_anomaly.networks.nets.registry import make_detector

__all__ = ["Consensus"]


class Consensus(Detector):
    """Several trained detectors as one: each sees the image as it is used to, and a rule joins their scores.

    ``forward`` gives the map whose spatial mean is the joined score; higher is more anomalous. Each member's map is in
    deviations of held-out normals, once ``evidence`` was fitted on them. For the maximum the map is that of the member
    that decides, else the members' weighted sum; it is shifted so that its mean is the score. A member whose map is not
    finite for an image is left out of it.

    Args:
        image_size: S, height and width of the images, in pixels: the members' largest.
        in_channels: C, channels of the images: the members' most.
        members: of each its ``name``, ``detector`` and ``network`` as in a checkpoint's spec, and the ``intensity`` of
            its preprocessing; at least 2.
        rule: ``"maximum"``, ``"fisher"``, ``"stouffer"`` or ``"logistic"``; see :class:`.JointEvidence`.

    Attributes:
        term_names: the members' names, as :meth:`score_terms` gives their scores.

    Raises:
        ValueError: for fewer than 2 members, two of a name, or one that does not fit; in ``forward``, for an image of
            another shape.
    """

    def __init__(
        self, image_size: int, in_channels: int, *, members: Sequence[Mapping[str, Any]], rule: str = "maximum"
    ) -> None:
        super().__init__(image_size, in_channels)
        self.term_names = tuple(str(member["name"]) for member in members)
        if len(members) < 2 or len(set(self.term_names)) < len(members):
            raise ValueError(f"members must be 2 or more with different names, got {', '.join(self.term_names) or 0}.")
        detectors = [make_detector(member) for member in members]
        self.detectors = nn.ModuleList(detectors)
        self.views = nn.ModuleList(
            MemberView(image_size, in_channels, found.image_size, found.in_channels, str(member["intensity"]))
            for found, member in zip(detectors, members, strict=True)
        )
        self.evidence = JointEvidence(len(members), rule)

    def anomaly_map(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to anomaly map ``(B, 1, S, S)``, float32; its spatial mean is the score."""
        maps = self.member_maps(image)
        joined, weights = self.evidence(maps.mean(dim=(2, 3)))
        maps = maps.where(maps.isfinite(), torch.zeros_like(maps))
        return self.joined_map(maps, joined, weights / self.evidence.spread)

    @torch.jit.unused
    def guarded_map(self, image: Tensor, counted: Tensor, *, held_out: bool = False) -> Tensor:
        """Map images as ``forward`` does, without the members that do not count for them.

        Args:
            image: ``(B, C, S, S)``.
            counted: bool ``(B, M)``: False leaves a member out, as one whose map is not finite.
            held_out: score one of the held-out normals as if its patient had been none. A calibration asks for this:
                the normals' own deviations from a mean that they are part of are too small.
        """
        maps = self.member_maps(image)
        found: list[Tensor] = []
        for own, scores, counts in zip(maps, maps.mean(dim=(2, 3)), counted, strict=True):
            patient = self.evidence.patient_of(scores) if held_out else None
            evidence = self.evidence if patient is None else self.evidence.without(patient)
            joined, weights = evidence(scores.masked_fill(~counts, torch.nan)[None])
            own = own.where(own.isfinite(), torch.zeros_like(own))
            found.append(self.joined_map(own[None], joined, weights / evidence.spread))
        return torch.cat(found)

    def joined_map(self, maps: Tensor, joined: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum of members' maps ``(B, M, S, S)``, whose mean is the joined score ``(B,)``."""
        return self.shift_to_score((maps * weights[:, :, None, None]).sum(dim=1, keepdim=True), joined)

    @torch.jit.export
    def member_maps(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the members' own maps, ``(B, M, S, S)``, float32, each of its own score's mean."""
        size = [self.image_size, self.image_size]
        maps: list[Tensor] = []
        for view, detector in zip(self.views, self.detectors):  # noqa: B905  (TorchScript's zip has no strict)
            own = detector(view(image)).float()
            grown = own
            if detector.image_size != self.image_size:
                grown = F.interpolate(own, size=size, mode="bilinear", align_corners=False)
            maps.append(self.shift_to_score(grown, own.mean(dim=(1, 2, 3))))
        return torch.cat(maps, dim=1)

    @torch.jit.export
    def raw_scores(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the members' own scores, ``(B, M)``, float32."""
        return self.member_maps(image).mean(dim=(2, 3))

    @torch.jit.export
    def score_terms(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to the members' scores in deviations of held-out normals, ``(B, M)``."""
        return self.evidence.standardize(self.raw_scores(image))
