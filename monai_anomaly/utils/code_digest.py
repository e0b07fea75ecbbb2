# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which code this is: a version number does not change with every edit of a checkout."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["code_digest"]


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return the SHA-256 of this package's Python files, with their places in it; takes some milliseconds."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if "bundles" not in path.relative_to(root).parts:  # a checkout's have no Python, a user's copy is none of ours
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
