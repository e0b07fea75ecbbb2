# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sample reconstructions in TensorBoard."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid

__all__ = ["SampleImages"]


class SampleImages:
    """Writes image, reconstruction and map of the same few images to TensorBoard, so that a run can be watched.

    MONAI's `TensorBoardImageHandler` shows the first item of a batch only, each part under a tag of its own.
    Maps are shown on one fixed scale.

    Args:
        log_dir: TensorBoard's folder.
        images: preprocessed images ``(N, C, H, W)`` to choose from; evenly spaced ones are taken.
        network: the detector; its `reconstruct` is shown where it has one.
        count: number of images.
        interval: epochs between two pictures.
        map_range: map values shown black and white.
    """

    def __init__(
        self,
        log_dir: str,
        images: Tensor,
        network: nn.Module,
        *,
        count: int = 8,
        interval: int = 1,
        map_range: tuple[float, float] = (0.0, 2.0),
    ) -> None:
        self.log_dir = log_dir
        self.network = network
        self.interval = interval
        self.map_range = map_range
        self._writer: SummaryWriter | None = None
        rows = torch.linspace(0, max(0, len(images) - 1), min(count, len(images))).round().long()
        self.images = images[rows]

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer."""
        if len(self.images):
            engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)
            engine.add_event_handler(Events.COMPLETED, self._close)

    def _close(self, _: Engine) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        """Write one picture: a column per image, rows of image, reconstruction and map."""
        device = next(self.network.parameters()).device
        training = self.network.training
        self.network.eval()
        image = self.images.to(device)
        rows = [_displayed(image)]
        reconstruct = getattr(self.network, "reconstruct", None)
        if reconstruct is not None:
            rows.append(_displayed(reconstruct(image), like=image))
        low, high = self.map_range
        rows.append(((self.network(image) - low) / (high - low)).clamp(0, 1).expand_as(image))
        self.network.train(training)
        if self._writer is None:
            self._writer = SummaryWriter(self.log_dir)
        self._writer.add_image("samples", make_grid(torch.cat(rows).cpu(), nrow=len(image)), engine.state.epoch)
        self._writer.flush()


def _displayed(image: Tensor, like: Tensor | None = None) -> Tensor:
    """To [0, 1]: as it is when it lies there, else by the range of the images it is compared with (z-scored ones)."""
    like = image if like is None else like
    low, high = like.amin(dim=(1, 2, 3), keepdim=True), like.amax(dim=(1, 2, 3), keepdim=True)
    low, high = low.clamp(max=0.0), high.clamp(min=1.0)
    return ((image - low) / (high - low)).clamp(0, 1)
