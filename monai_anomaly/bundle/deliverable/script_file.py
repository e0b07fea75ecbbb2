# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector as TorchScript: ``.ts``, which MONAI Label and MONAI Deploy take."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from monai_anomaly.bundle.deliverable.script_check import check_script
from monai_anomaly.utils.exported.archive import rewritten
from monai_anomaly.utils.exported.card_entry import CARD

__all__ = ["ScriptProgram", "script_bytes"]


def script_bytes(detector: nn.Module, card: str, root: str, more: Mapping[str, str]) -> bytes:
    """Return the file of a detector.

    Args:
        detector: on the CPU, in evaluation mode.
        card: its card.
        root: the archive's folder, which MONAI Deploy looks for under the file's name without its ending.
        more: further texts by name.
    """
    file = io.BytesIO()
    with _quiet():
        torch.jit.save(torch.jit.script(detector), file, _extra_files={**more, CARD: card})  # type: ignore[no-untyped-call]
    # what is left out says which lines of which files on this machine the code is of
    return rewritten(file.getvalue(), root, lambda name: not name.endswith(".debug_pkl"))


class ScriptProgram:
    """The program of a ``.ts`` file.

    Args:
        data: the file's bytes.

    Raises:
        ValueError: for a file that holds more than a detector does.
    """

    def __init__(self, data: bytes) -> None:
        check_script(io.BytesIO(data))
        with _quiet():
            self._module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()  # type: ignore[no-untyped-call]

    def __call__(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to map ``(B, 1, S, S)``."""
        anomaly: Tensor = self._module(image)
        return anomaly

    def to(self, device: torch.device) -> None:
        """Compute on another device from now on."""
        self._module.to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of TorchScript's being deprecated, which nobody can change who needs it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield
