# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What can be set of STOW-RS."""

from __future__ import annotations

from dataclasses import dataclass, fields

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["StowSettings"]


@dataclass(frozen=True, kw_only=True)
class StowSettings:
    """The section ``web.stow`` of a node's configuration: limits of a request that brings objects.

    Args:
        max_bytes: of one object.
        max_request_bytes: of all that a request brings.
        max_parts: objects of a request.
        seconds: that a request may take to come in.
        idle_seconds: of silence, after which it is given up.
        requests: at a time.

    Raises:
        ConfigError: for a limit that is not above 0.
    """

    max_bytes: int = 2 << 30
    max_request_bytes: int = 4 << 30
    max_parts: int = 1000
    seconds: float = 900.0
    idle_seconds: float = 60.0
    requests: int = 4

    def __post_init__(self) -> None:
        """Refuse limits that would let nothing in."""
        for item in fields(self):
            if getattr(self, item.name) <= 0:
                raise ConfigError(f"web.stow: '{item.name}' must be above 0.")
