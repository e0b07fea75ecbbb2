# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Says which members of a consensus were never shown the like of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from monai_anomaly.guard.input_guard import InputGuard
from monai_anomaly.networks.nets.consensus.member_view import MemberView
from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["JointGuard", "MemberGuards"]


class MemberGuards:
    """The input guards of a consensus's members, each asked for the image as its member sees it.

    They are asked for the image alone: size and color of the stored picture are judged by the consensus's own guard.

    Args:
        network: the ``network`` of the consensus's spec: its ``image_size``, ``in_channels`` and ``members``.
        states: of each member :meth:`.InputGuard.state`, or None; one that has no guard refuses nothing.

    Raises:
        CheckpointError: for a state of another version, a damaged one, or one of no member.
    """

    def __init__(self, network: Mapping[str, Any], states: Mapping[str, Any] | None) -> None:
        states = dict(states or {})
        members = {str(member["name"]): str(member["intensity"]) for member in network["members"]}
        unknown = next((name for name in states if name not in members), None)
        if unknown is not None:
            raise CheckpointError(f"there is an input guard of '{unknown}', which is no member; make the model again.")
        self.names = tuple(members)
        self._guards: dict[str, tuple[MemberView, InputGuard]] = {}
        for name in self.names:
            if states.get(name) is not None:
                guard = InputGuard.from_state(states[name])
                channels, size, _ = guard.shape
                view = MemberView(network["image_size"], network["in_channels"], size, channels, members[name])
                self._guards[name] = (view, guard)

    def refusals(self, images: Tensor) -> list[dict[str, str]]:
        """Return of each image the members that refuse it, each with one sentence why.

        Args:
            images: ``(B, C, S, S)`` as the consensus gets them.
        """
        images = images.detach().as_subclass(Tensor).float().cpu()
        found: list[dict[str, str]] = [{} for _ in images]
        for name, (view, guard) in self._guards.items():
            reasons = guard.check_all(view(images), [{}] * len(images)) if len(images) else []
            for own, reason in zip(found, reasons, strict=True):
                if reason:
                    own[name] = reason
        return found

    def counted(self, refusals: Sequence[Mapping[str, str]]) -> Tensor:
        """Return which members' scores count, bool ``(B, M)``: all but those that refuse, and all where all refuse.

        Args:
            refusals: of each image, as :meth:`refusals` gives them.
        """
        rows = [[name not in own for name in self.names] for own in refusals]
        return torch.tensor([row if any(row) else [True] * len(row) for row in rows]).reshape(-1, len(self.names))


@dataclass(frozen=True)
class JointGuard:
    """Refuses what a consensus's own guard refuses, and what the guards of all its members do.

    Args:
        own: fitted on the images that the consensus was trained on.
        members: the members'.
    """

    own: InputGuard
    members: MemberGuards

    @property
    def n_images(self) -> int:
        """Normals that its own guard was fitted on."""
        return self.own.n_images

    def check_all(self, images: Tensor, facts: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return why the consensus does not apply to each image; empty where it does.

        Args:
            images: ``(B, C, S, S)`` as the consensus gets them.
            facts: of each picture, as :meth:`.InputGuard.check` takes them.
        """
        reasons = self.own.check_all(images, facts)
        for index, refusals in enumerate(self.members.refusals(images)):
            if not reasons[index] and len(refusals) == len(self.members.names):
                name, reason = next(iter(refusals.items()))
                reasons[index] = f"no member applies; the first, {name}, says: {reason}"
        return reasons
