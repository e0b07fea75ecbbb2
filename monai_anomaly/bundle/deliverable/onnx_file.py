# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector as ONNX, which ONNX Runtime computes on the CPU; the only module that imports its packages."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_anomaly.bundle.deliverable.program_file import export_program
from monai_anomaly.utils.exceptions import ConfigError
from monai_anomaly.utils.exported.card_entry import CARD
from monai_anomaly.utils.exported.onnx_entries import onnx_entry, sealed

__all__ = ["OnnxProgram", "onnx_bytes", "require_onnx"]


def onnx_bytes(detector: nn.Module, image: Tensor, card: str) -> bytes:
    """Return the file of a detector; arguments as in :func:`.export_program`, with its card.

    Raises:
        ConfigError: without the extra ``onnx``.
    """
    require_onnx("onnxscript")
    program = export_program(detector, image)
    made = torch.onnx.export(program, input_names=["image"], output_names=["pred"], dynamo=True, verbose=False)
    assert made is not None
    proto = made.model_proto
    _name_batch(proto.graph)
    data: bytes = proto.SerializeToString()
    return sealed(data + onnx_entry(CARD, card))


def _name_batch(graph: Any) -> None:
    """Call the batch's size ``batch`` wherever a shape names it; a program has a number of its own for it."""
    own = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if own in size.dim_param:
                size.dim_param = size.dim_param.replace(own, "batch")


class OnnxProgram:
    """The program of an ``.onnx`` file, with as many threads as PyTorch has.

    Args:
        data: the file's bytes.

    Raises:
        ConfigError: without the extra ``onnx``.
        ValueError: for bytes that are no program.
    """

    def __init__(self, data: bytes) -> None:
        runtime = require_onnx("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
        options.log_severity_level = 3
        try:
            self._session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of its own classes, which share no other
            raise ValueError("ONNX Runtime does not take it") from error

    def __call__(self, image: Tensor) -> Tensor:
        """Image ``(B, C, S, S)`` to map ``(B, 1, S, S)``."""
        (anomaly,) = self._session.run(["pred"], {"image": image.cpu().numpy()})
        return torch.from_numpy(anomaly).to(image.device)

    def to(self, device: torch.device) -> None:
        """Stay on the CPU; images are taken there and maps back."""


def require_onnx(name: str) -> Any:
    """Return a package of the extra ``onnx``.

    Raises:
        ConfigError: where it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"files of ONNX need the package {name}, which is not installed: pip install 'monai_anomaly[onnx]'."
        ) from error
