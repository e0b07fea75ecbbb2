# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where a bundle is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_bundle_root"]


def find_bundle_root(name: str) -> str:
    """Find a bundle from the repository's root, from inside the bundle, or from its ``configs``.

    Args:
        name: the bundle's name.

    Returns:
        a path relative to the working directory; ``"."`` when there is no bundle near (pass ``--bundle_root`` then).
    """
    for candidate in (Path("bundles") / name, Path("."), Path(".."), Path(name)):
        if (candidate / "configs" / "metadata.json").is_file() and candidate.resolve().name == name:
            return candidate.as_posix()
    return "."
