# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The pixels of a report's gallery, taken from the items of an evaluation and from the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from monai_anomaly.report.card import picture_aspect
from monai_anomaly.report.gallery import Picture

if TYPE_CHECKING:  # inference needs no metrics: their import takes longer than scoring an image
    from monai_anomaly.report.evaluation_numbers import Case

__all__ = ["add_reconstructions", "copy_picture"]


def copy_picture(item: Mapping[str, Any], case: Case) -> Picture:
    """Copy one image's pixels to the CPU (copies: the item is a view of the whole batch)."""

    def take(key: str) -> np.ndarray:
        tensor: torch.Tensor = torch.as_tensor(item[key])
        return np.array(tensor.detach().float().cpu().numpy())

    mask = take("mask")[0] >= 0.5 if item.get("mask") is not None else None
    return Picture(
        case.name,
        case.label,
        case.score,
        take("image"),
        take("pred")[0],
        mask,
        decision=case.decision,
        p_value=case.p_value,
        aspect=picture_aspect(item.get("box")),
    )


def add_reconstructions(
    pictures: Iterable[Picture], network: torch.nn.Module, device: torch.device | str | None
) -> None:
    """Run images, one by one, through ``reconstruct`` of a network that has it."""
    network = getattr(network, "module", network)  # out of DistributedDataParallel
    reconstruct: Any = getattr(network, "reconstruct", None)
    if reconstruct is None:
        return
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for picture in pictures:
                image = torch.from_numpy(picture.image)[None].to(device)
                picture.reconstruction = reconstruct(image)[0].float().cpu().numpy()
    finally:
        network.train(was_training)
