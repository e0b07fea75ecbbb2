# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sample reconstructions in TensorBoard."""

from __future__ import annotations

import os
import time

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid

from monai_anomaly.handlers.training.epoch_events import every_epochs
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["SampleImages"]

FIRST_PAUSE = 10.0
"""Seconds between the first picture and the second; each later pause is twice the one before."""


class SampleImages:
    """Writes image, reconstruction and map of the same few images to TensorBoard, so that a run can be watched.

    There is a picture after the first iteration, then after pauses that grow, after every few epochs, and at the end of
    a training that a time budget cuts short. Its step is the iteration, and TensorBoard has it at once.

    MONAI's `TensorBoardImageHandler` shows the first item of a batch only, each part under a tag of its own.
    Maps are shown on one fixed scale.

    Args:
        log_dir: TensorBoard's folder.
        images: preprocessed images ``(N, C, H, W)`` to choose from; evenly spaced ones are taken.
        network: the detector; its `reconstruct` is shown where it has one. None shows the images alone, for a stage
            that trains a part of it.
        count: number of images.
        interval: epochs between two pictures.
        map_range: map values shown black and white.
    """

    def __init__(
        self,
        log_dir: str,
        images: ImageSequence,
        network: nn.Module | None = None,
        *,
        count: int = 8,
        interval: int = 1,
        map_range: tuple[float, float] = (0.0, 2.0),
    ) -> None:
        self.log_dir = os.path.expanduser(log_dir)
        self.network = network
        self.interval = interval
        self.map_range = map_range
        self._writer: SummaryWriter | None = None
        self._drawn = -1
        self._next = 0.0
        self._pause = FIRST_PAUSE
        rows = torch.linspace(0, max(0, len(images) - 1), min(count, len(images))).round().long()
        self.images = images[rows]

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        if not len(self.images):
            return
        if self.network is None:  # the images do not change
            engine.add_event_handler(Events.ITERATION_COMPLETED(once=1), self)
        else:
            engine.add_event_handler(Events.STARTED, self._begin)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._draw_in_time)
            engine.add_event_handler(every_epochs(self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self._close)

    def _begin(self, _: Engine) -> None:
        self._drawn, self._next, self._pause = -1, 0.0, FIRST_PAUSE

    def _draw_in_time(self, engine: Engine) -> None:
        if time.monotonic() >= self._next:
            self(engine)
            self._next = time.monotonic() + self._pause
            self._pause *= 2

    def _close(self, _: Engine) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __call__(self, engine: Engine) -> None:
        """Write one picture: a column per image, rows of image, reconstruction and map; none twice."""
        if engine.state.iteration == self._drawn:
            return
        self._drawn = engine.state.iteration
        if self._writer is None:
            self._writer = SummaryWriter(self.log_dir)
        rows = [_displayed(self.images)] if self.network is None else self._rows(self.network)
        self._writer.add_image("samples", make_grid(torch.cat(rows).cpu(), nrow=len(self.images)), self._drawn)
        self._writer.flush()

    @torch.no_grad()
    def _rows(self, network: nn.Module) -> list[Tensor]:
        """Return images, reconstructions and maps, each ``(N, C, H, W)`` in [0, 1]; no part's mode is changed."""
        in_training = [module for module in network.modules() if module.training]
        network.eval()
        image = self.images.to(next(network.parameters()).device)
        rows = [_displayed(image)]
        reconstruct = getattr(network, "reconstruct", None)
        if reconstruct is not None:
            rows.append(_displayed(reconstruct(image), like=image))
        low, high = self.map_range
        rows.append(((network(image) - low) / (high - low)).clamp(0, 1).expand_as(image))
        for module in in_training:
            module.training = True
        return rows


def _displayed(image: Tensor, like: Tensor | None = None) -> Tensor:
    """To [0, 1]: as it is when it lies there, else by the range of the images it is compared with (z-scored ones)."""
    like = image if like is None else like
    low, high = like.amin(dim=(1, 2, 3), keepdim=True), like.amax(dim=(1, 2, 3), keepdim=True)
    low, high = low.clamp(max=0.0), high.clamp(min=1.0)
    return ((image - low) / (high - low)).clamp(0, 1)
