# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What every density asks of its arguments and of the features it is fitted to."""

from __future__ import annotations

from torch import Tensor

from monai_anomaly.networks.blocks.density.moments import BLOCK

__all__ = ["check_features", "check_positive"]


def check_positive(**arguments: float) -> None:
    """Check arguments by their names.

    Raises:
        ValueError: when one of them is not above 0.
    """
    if not all(value > 0 for value in arguments.values()):
        raise ValueError(
            f"{', '.join(arguments)} must be positive, got {', '.join(str(value) for value in arguments.values())}."
        )


def check_features(features: Tensor, least: int, whose: str) -> None:
    """Check the features ``(N, D)`` of images that something is to be learned from.

    Args:
        features: what to check.
        least: how many images are needed.
        whose: what the images are, for the message.

    Raises:
        ValueError: when there are fewer, or a feature is not finite.
    """
    finite = all(bool(part.isfinite().all()) for part in features.split(BLOCK))  # in parts, as it copies them
    if len(features) < least or not finite:
        raise ValueError(f"at least {least} {whose} with finite features are needed, got {len(features)}.")
