# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector as a program of ``torch.export``: ``.pt2``."""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn

from monai_anomaly.bundle.deliverable.program_check import check_program
from monai_anomaly.utils.exported.archive import rewritten
from monai_anomaly.utils.exported.card_entry import CARD

__all__ = ["ExportProgram", "export_program", "program_bytes"]

_KEPT = ("val", "tensor_meta")
"""What a node has to say of itself; the rest names the lines of code that made it, and the folders of this machine."""


def export_program(detector: nn.Module, image: Tensor) -> torch.export.ExportedProgram:
    """Return a detector as a program for batches of any size.

    Args:
        detector: on the CPU, in evaluation mode.
        image: ``(2, C, S, S)``; of one image alone the batch would be taken for fixed.
    """
    with torch.no_grad():
        program = torch.export.export(detector, (image,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            node.meta = {key: value for key, value in node.meta.items() if key in _KEPT}
    return program


def program_bytes(detector: nn.Module, image: Tensor, card: str) -> bytes:
    """Return the file of a detector; arguments as in :func:`export_program`, with its card."""
    file = io.BytesIO()
    torch.export.save(export_program(detector, image), file, extra_files={CARD: card})
    return rewritten(file.getvalue(), "archive", lambda _: True)


class ExportProgram:
    """The program of a ``.pt2`` file.

    Args:
        data: the file's bytes.

    Raises:
        ValueError: for a file that holds more than a detector does.
    """

    def __init__(self, data: bytes) -> None:
        check_program(io.BytesIO(data))
        self._program = torch.export.load(io.BytesIO(data))
        self._device = torch.device("cpu")
        self._module = self._program.module()

    def __call__(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to map ``(B, 1, S, S)``."""
        anomaly: Tensor = self._module(image)
        return anomaly

    def to(self, device: torch.device) -> None:
        """Compute on another device from now on."""
        if device == self._device:
            return
        from torch.export.passes import move_to_device_pass

        self._program = move_to_device_pass(self._program, device)
        self._device, self._module = device, self._program.module()
