# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Mean and spread of a detector's scores, from normals."""

from __future__ import annotations

from typing import Protocol

from ignite.engine import Engine, Events

from monai_anomaly.handlers.training.epoch_events import every_epochs
from monai_anomaly.utils.evenly_spaced import evenly_spaced
from monai_anomaly.utils.image_sequence import ImageSequence

__all__ = ["ScoreStatistics"]

MOST_IMAGES = 2000


class _Standardizing(Protocol):
    def fit_scores(self, *images: ImageSequence) -> None: ...


class ScoreStatistics:
    """Fits a detector's score statistics before each validation and at the end of the training.

    Attach it before the validation and the checkpoint, so that both see scores in standard deviations of normals.

    Args:
        network: a detector with ``fit_scores``, such as SimSID or OCAD.
        images: all training normals ``(N, C, H, W)``, preprocessed, not augmented. Of more than 2,000 as many are
            taken, evenly spaced: a fit to all of them would take longer than the epochs between two.
        held_out: normals that were not trained on, for a detector that scales its score by them, such as OCAD.
        interval: epochs between two fits; take that of the validation.

    Raises:
        ValueError: with fewer than 2 held-out normals.
    """

    def __init__(
        self,
        network: _Standardizing,
        images: ImageSequence,
        *,
        held_out: ImageSequence | None = None,
        interval: int = 1,
    ) -> None:
        if held_out is not None and len(held_out) < 2:  # said before a training, not after it
            raise ValueError(
                f"the score is scaled by held-out normals, of which there are {len(held_out)}; put at least 2 normal "
                "images into the validation section."
            )
        self.network = network
        self.images = (images,) if held_out is None else (images, held_out)
        self.interval = interval

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer, in every process: a validation in several compares the scores of all of them."""
        engine.add_event_handler(every_epochs(self.interval), self)
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, _: Engine) -> None:
        """Fit the statistics."""
        self.network.fit_scores(*(evenly_spaced(images, MOST_IMAGES) for images in self.images))
