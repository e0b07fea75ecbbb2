# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A site's own root for UIDs."""

from __future__ import annotations

import re

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["MOST_ROOT", "check_uid_root"]

MOST_ROOT = 40
"""Of 64 characters; the 23 digits that are left make two equal UIDs as good as impossible."""

_COMPONENT = r"(?:0|[1-9][0-9]*)"
_ROOT = re.compile(rf"[012](?:\.{_COMPONENT})+")


def check_uid_root(root: str) -> str:
    """Return a root below which UIDs may be made; empty for none.

    Args:
        root: numbers with dots between, at most 40 characters, without a dot at the end.

    Raises:
        ConfigError: for anything else, and for ``2.25``, below which there are UUIDs only.

    Example:
        >>> check_uid_root("1.2.826.0.1.3680043.10.1234")
        '1.2.826.0.1.3680043.10.1234'
    """
    if not root:
        return root
    if len(root) > MOST_ROOT or not _ROOT.fullmatch(root) or f"{root}.".startswith("2.25."):
        raise ConfigError(
            "the key 'uid_root' must be a root that was registered for this site, such as 1.2.826.0.1.3680043.10.1234, "
            f"of at most {MOST_ROOT} characters; leave it out for UIDs below 2.25, which need none."
        )
    return root
