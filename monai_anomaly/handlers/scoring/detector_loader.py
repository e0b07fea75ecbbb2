# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Loading a trained detector."""

from __future__ import annotations

import os

from ignite.engine import Engine, Events
from torch import nn

from monai_anomaly.handlers.training.training_checkpoint import load_checkpoint
from monai_anomaly.utils.exceptions import CheckpointError

__all__ = ["DetectorLoader", "load_detector"]


def load_detector(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a checkpoint's detector into a network, wholly or not at all.

    Args:
        network: the detector.
        path: a ``model.pt`` or ``checkpoint.pt``.

    Raises:
        CheckpointError: when the file is missing, damaged, or of another architecture.
    """
    content = load_checkpoint(path)
    made_for = content["spec"].get("detector")
    if made_for != type(network).__name__:
        raise CheckpointError(
            f"the checkpoint '{os.fspath(path)}' is of a {made_for} and this bundle's network is a "
            f"{type(network).__name__}: name a checkpoint that this bundle made."
        )
    try:
        network.load_state_dict(content["model"])
    except RuntimeError as error:
        raise CheckpointError(
            f"the checkpoint '{os.fspath(path)}' is of another architecture than this configuration's "
            f"{type(network).__name__} ({str(error).splitlines()[1].strip()[:200]}): use the settings of its training."
        ) from error


class DetectorLoader:
    """Loads the trained detector when an evaluator starts.

    MONAI's `CheckpointLoader` accepts a partial match and reports a wrong file by listing hundreds of keys.

    Args:
        load_path: a ``model.pt`` or ``checkpoint.pt``.
        network: the detector.
    """

    def __init__(self, load_path: str, network: nn.Module) -> None:
        self.load_path = load_path
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Attach to an evaluator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, _: Engine) -> None:
        """Load."""
        load_detector(self.network, self.load_path)
