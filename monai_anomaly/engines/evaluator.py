# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""Inference that goes on when the network fails on an image.

A stock :class:`monai.engines.SupervisedEvaluator` ends at the first exception of a forward pass, and a handler cannot
prevent that. Its ``iteration_update`` argument can, so there is a function here and no evaluator class.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

import torch
from ignite.engine import Events
from monai.engines.evaluator import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys

__all__ = ["FORWARD_ERROR", "EvaluatorRun", "describe_failure", "isolate_failures", "map_alone"]

FORWARD_ERROR = "forward_error"
"""Output key: why the network failed on this image, empty where it did not. Present in affected batches only."""

_log = logging.getLogger(__name__)


def isolate_failures(engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
    """Return an ``iteration_update`` that gives NaN maps to the images on which the forward pass raises.

    A batch that raises (one bad image, or too little memory for the whole batch) is repeated image by image. An image
    that raises alone gets a map of NaN and the reason under :data:`FORWARD_ERROR`;
    :class:`~monai_anomaly.handlers.scoring.inference_writer.InferenceWriter` records it as failed. Whatever else
    raises, such as a transform or a handler, still ends the run. For networks that take the image alone.

    Args:
        engine: the evaluator that this function was passed to.
        batchdata: the collated batch.

    Returns:
        The output of the iteration, as the evaluator's own.

    Example:

        ``SupervisedEvaluator(..., iteration_update=isolate_failures)``
    """
    try:
        return engine._iteration(engine, batchdata)
    except Exception as error:
        output = engine.state.output  # what the evaluator has of this batch so far, or the last batch's
        if not isinstance(output, dict) or Keys.PRED in output:  # not the forward pass: before it, or after it
            raise
        _log.warning("A batch failed (%s); repeating it image by image.", describe_failure(error))
    maps, errors = zip(*[map_alone(engine, image[None]) for image in output[Keys.IMAGE]], strict=True)
    output[Keys.PRED], output[FORWARD_ERROR] = torch.cat(maps), list(errors)
    engine.fire_event(IterationEvents.FORWARD_COMPLETED)
    engine.fire_event(IterationEvents.MODEL_COMPLETED)
    return engine.state.output


class EvaluatorRun:
    """The run of an evaluator, also over no data, which MONAI skips: its handlers then see a beginning and an end.

    Args:
        engine: the evaluator.
    """

    def __init__(self, engine: SupervisedEvaluator) -> None:
        self.engine = engine

    def run(self) -> None:
        """Do all that there is to do."""
        loader: Any = self.engine.data_loader
        if len(loader):
            self.engine.run()
            return
        self.engine.state.epoch_length = 0
        for event in (Events.STARTED, Events.COMPLETED):
            self.engine.fire_event(event)


def map_alone(engine: SupervisedEvaluator, image: torch.Tensor) -> tuple[torch.Tensor, str]:
    """Return the map of one image, as the evaluator makes it, and why there is none.

    Args:
        engine: the evaluator.
        image: ``(1, C, H, W)``, on its device.

    Returns:
        The map ``(1, 1, H, W)`` and an empty text, or a map of NaN and the error.
    """
    autocast = torch.autocast("cuda", **engine.amp_kwargs) if engine.amp else nullcontext()
    try:
        with engine.mode(engine.network), autocast:
            return engine.inferer(image, engine.network).float(), ""
    except Exception as error:
        return torch.full_like(image[:, :1], torch.nan, dtype=torch.float32), describe_failure(error)


def describe_failure(error: Exception) -> str:
    """Return the exception's name and the first line of its text."""
    first_line = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line[:200]}"
