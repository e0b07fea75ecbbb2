# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What each member of a consensus says of an image, for its record."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from monai_anomaly.engines.consensus_inferer import ConsensusInferer
from monai_anomaly.engines.evaluator import FORWARD_ERROR
from monai_anomaly.handlers.scoring.items import evaluated_items
from monai_anomaly.networks.nets.consensus.consensus import Consensus

__all__ = ["MemberSays"]


class MemberSays:
    """Adds ``members`` and ``left_out`` to the evaluator's images; see :class:`.Said`.

    It costs one forward pass more for each image: what a detector gives is the map, and nothing beside it.

    Args:
        inferer: that of the evaluator.
        network: the consensus.
    """

    def __init__(self, inferer: ConsensusInferer, network: Consensus) -> None:
        self.inferer = inferer
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Attach the handler to an evaluator, before what writes at the end of an iteration, wherever it is listed."""
        engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Ask for the images of one batch that were read and scored."""
        outputs: Any = engine.state.output  # a list, as evaluated_items finds it
        for item, output in zip(evaluated_items(engine), outputs, strict=True):
            if item.get("status", "ok") == "ok" and not item.get(FORWARD_ERROR):
                output.update(vars(self.inferer.said(torch.as_tensor(item["image"]), self.network)))
