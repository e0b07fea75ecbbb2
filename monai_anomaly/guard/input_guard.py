# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Says when an image is one that the method was never shown, so that its score means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from monai_anomaly.guard.picture_likeness import PictureLikeness
from monai_anomaly.guard.picture_rules import PictureRules
from monai_anomaly.utils.exceptions import CheckpointError
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["InputGuard"]

VERSION = 1


@dataclass(frozen=True)
class InputGuard:
    """Refuses images that are far from all training normals: another body part or orientation, or no picture.

    It looks at the image as the network gets it and at the facts of the picture before it was resized, in this order:
    finite values, size, color, blank and flat images (:class:`~monai_anomaly.guard.picture_rules.PictureRules`),
    and whether it looks like the normals (:class:`~monai_anomaly.guard.picture_likeness.PictureLikeness`). It finds no
    disease and is no detector: its limits lie far outside the normals, and a normal image is refused about once in a
    hundred times or less. It is a function of its data: no random numbers.

    Args:
        shape: ``(C, H, W)`` of the images.
        n_images: normals that it was fitted on.
        n_groups: their patients.
        rules: limits of size, color and flatness.
        likeness: None where the normals were too few to know what they look like.

    Example:
        >>> import torch
        >>> normals = torch.linspace(0, 1, 64).expand(10, 1, 64, 64)
        >>> guard = InputGuard.fit(normals, [{"rows": 256, "columns": 256, "colored": 0.0}] * len(normals))
        >>> guard.check(torch.zeros(1, 64, 64), {"rows": 256, "columns": 256})[:45]
        'not like the 10 training normals: it is blank'
    """

    shape: tuple[int, int, int]
    n_images: int
    n_groups: int
    rules: PictureRules
    likeness: PictureLikeness | None

    @classmethod
    def fit(cls, images: ImageSequence, facts: Sequence[Mapping[str, Any]]) -> InputGuard:
        """Take the limits from training normals.

        Args:
            images: float32 ``(N, C, H, W)`` as the network gets them, N at least 1.
            facts: of each, ``rows``, ``columns`` and ``colored`` (see
                :func:`~monai_anomaly.data.picture_facts.picture_facts`) and ``group``, its patient; a fact that is not
                there makes no rule.

        Raises:
            ValueError: for no images, images that are not finite, or another number of facts.
        """
        if len(images.shape) != 4 or not len(images):
            raise ValueError(f"images must be (N, C, H, W) with N at least 1, got {tuple(images.shape)}.")
        if len(facts) != len(images):
            raise ValueError(f"there must be facts for each image, got {len(facts)} for {len(images)} images.")
        groups = [str(fact.get("group", f"image {index}")) for index, fact in enumerate(facts)]
        channels, rows, columns = images.shape[1:]
        rules, likeness = PictureRules.fit(images, facts), PictureLikeness.fit(images, groups)
        return cls((channels, rows, columns), len(images), len(set(groups)), rules, likeness)

    def check(self, image: Tensor, facts: Mapping[str, Any]) -> str:
        """Return one sentence why the image is not applicable, or an empty text.

        Args:
            image: ``(C, H, W)`` as the network gets it.
            facts: of the picture, as in :meth:`fit`; what is not there, or 0 rows or columns, is not judged.

        Raises:
            ValueError: for an image of another shape than the network's.
        """
        return self.check_all(image[None], [facts])[0]

    def check_all(self, images: Tensor, facts: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what :meth:`check` says of each image, the same in any batch; faster than one by one.

        Args:
            images: ``(B, C, H, W)`` as the network gets them.
            facts: of each picture, as in :meth:`check`.

        Raises:
            ValueError: for images of another shape than the network's.
        """
        if tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"the image must be {self.shape}, got {tuple(images.shape[1:])}.")
        images = images.detach().as_subclass(Tensor).float().cpu()  # a MetaTensor is ten times slower
        finite = images.flatten(1).isfinite().all(1).tolist()
        reasons = ["" if sound else "it holds values that are not finite" for sound in finite]
        reasons = [reason or rule for reason, rule in zip(reasons, self.rules.check(images, facts), strict=True)]
        sound = [index for index, reason in enumerate(reasons) if not reason]
        if self.likeness is not None and sound:
            for index, reason in zip(sound, self.likeness.check(images[sound]), strict=True):
                reasons[index] = reason
        return [f"not like the {self.n_images} training normals: {reason}." if reason else "" for reason in reasons]

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that :meth:`from_state` makes the guard from, for ``torch.save``."""
        return {
            "version": VERSION,
            "shape": list(self.shape),
            "n_images": self.n_images,
            "n_groups": self.n_groups,
            "rules": self.rules.state(),
            "likeness": self.likeness.state() if self.likeness else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> InputGuard:
        """Undo :meth:`state`.

        Raises:
            CheckpointError: for the state of another version, or a damaged one.
        """
        if not isinstance(state, Mapping) or state.get("version") != VERSION:
            raise CheckpointError("the input guard is of another version of this package; train again to get one.")
        try:
            channels, rows, columns = (int(n) for n in state["shape"])
            likeness = None if state["likeness"] is None else PictureLikeness.from_state(state["likeness"])
            rules = PictureRules(**state["rules"])
            return cls((channels, rows, columns), int(state["n_images"]), int(state["n_groups"]), rules, likeness)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError("the input guard is damaged; train again to get one.") from error
