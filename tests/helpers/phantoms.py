# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a phantom's folder holds, and simple statistics that must not tell its lesions."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import laplace
from skimage.measure import shannon_entropy

STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda a: float(a.mean()),
    "standard deviation": lambda a: float(a.std()),
    "variance of the Laplacian": lambda a: float(laplace(a).var()),
    "mean gradient": lambda a: float(np.hypot(*np.gradient(a)).mean()),
    "white fraction": lambda a: float((a > 0.9).mean()),
}
MORE_STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    **STATISTICS,
    "black fraction": lambda a: float((a < 0.1).mean()),
    "entropy": lambda a: float(shannon_entropy((255 * a).round().astype(np.uint8))),
    "compressed size": lambda a: float(len(zlib.compress((255 * a).round().astype(np.uint8).tobytes()))),
}


def read_list(root: Path) -> dict[str, list[dict]]:
    return json.loads((root / "dataset.json").read_text(encoding="utf-8"))


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
