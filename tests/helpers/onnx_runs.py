# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a network gives after its export to ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn


def run_as_onnx(network: nn.Module, *inputs: Tensor, folder: Path, any_batch: bool = True) -> tuple[Tensor, ...]:
    """Export a network and return what the file gives; the test is skipped without the extra ``onnx``.

    Args:
        network: in evaluation mode.
        inputs: at least 3 of each, where the export is for any batch: it is made with the first 2.
        folder: where to write the file.
        any_batch: export for any number of inputs, not for this one.
    """
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra 'onnx'")
    pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
    file = str(folder / "network.onnx")
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs) if any_batch else None
    example = tuple(x[:2] for x in inputs) if any_batch else inputs
    torch.onnx.export(network, example, file, dynamo=True, dynamic_shapes=shapes, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    feed = {node.name: x.numpy() for node, x in zip(session.get_inputs(), inputs, strict=True)}
    return tuple(torch.from_numpy(result) for result in session.run(None, feed))
