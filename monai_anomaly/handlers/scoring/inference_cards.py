# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0
"""The images of an inference that a person should see first, kept in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from monai_anomaly.handlers.scoring.gallery_pictures import add_reconstructions
from monai_anomaly.handlers.scoring.picture_files import Pictures
from monai_anomaly.report.card import Card, make_card, picture_aspect
from monai_anomaly.report.gallery import Picture
from monai_anomaly.scoring.result import Result
from monai_anomaly.transforms.preprocessing import resize_image
from monai_anomaly.transforms.source_map import shrink_geometry

__all__ = ["InferenceCards", "Redraw"]

LONGEST_PICTURE = 256
"""Rows or columns of a card's picture: a page of a hundred cards has some megabytes."""


Redraw = Callable[[int], tuple[Result, Pictures] | None]
"""Gives again, by its number, what was scored in an earlier run and is kept; None where that cannot be had any more."""


@dataclass
class _Shown:
    """One image that may get a card; ``picture`` is None until it is drawn, where its record is kept."""

    picture: Picture | None = None
    note: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass
class _Highest:
    """The pictures with the highest scores, at most ``size``; the earlier one where scores are equal."""

    size: int
    heap: list[tuple[float, int, _Shown]] = field(default_factory=list)

    def wants(self, score: float) -> bool:
        return self.size > 0 and (len(self.heap) < self.size or score > self.heap[0][0])

    def add(self, number: int, score: float, shown: _Shown) -> None:
        entry = (score, -number, shown)  # no two have the same number
        if len(self.heap) < self.size:
            heapq.heappush(self.heap, entry)
        else:
            heapq.heappushpop(self.heap, entry)


class InferenceCards:
    """Keeps the images with the highest scores, and a quarter as many of those that the guard refused.

    Args:
        size: number of images, beside the refused ones; 0 for none.

    Raises:
        ValueError: when ``size`` is negative.
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"gallery must be the number of images to show, 0 or more, got {size}.")
        self._decided = _Highest(size)
        self._refused = _Highest(-(-size // 4))

    def offer(self, number: int, result: Result, files: Pictures) -> None:
        """Keep an image where it is among the highest.

        Args:
            number: of its record.
            result: its answer, with map and image.
            files: what was written of it.
        """
        if result.score is None or result.image is None or result.anomaly_map is None:
            return
        kept = self._place(result.decision)
        if kept.wants(result.score):
            kept.add(number, result.score, _show(result, files))

    def offer_kept(self, number: int, record: Mapping[str, Any]) -> None:
        """Keep the place of an image that was scored in an earlier run; it is drawn again where a card is made of it.

        Args:
            number: of its record.
            record: its record.
        """
        kept = self._place(record["decision"])
        if kept.wants(record["score"]):
            kept.add(number, record["score"], _Shown())

    def _place(self, decision: str | None) -> _Highest:
        return self._refused if decision == "not_applicable" else self._decided

    def make(
        self,
        network: torch.nn.Module | None,
        device: torch.device | str | None,
        map_range: tuple[float, float],
        redraw: Redraw = lambda number: None,
    ) -> dict[int, Card]:
        """Return the cards by the number of their record.

        Args:
            network: its ``reconstruct``, where it has one, adds what it expected; None adds nothing.
            device: where the network is.
            map_range: map values of the first and the last color.
            redraw: gives images that were offered as kept; one that it does not give has no card.
        """
        entries = {-order: shown for _, order, shown in self._decided.heap + self._refused.heap}
        for number, shown in entries.items():
            if shown.picture is None and (again := redraw(number)) is not None:
                entries[number] = _show(*again)
        drawn = {number: (shown.picture, shown) for number, shown in entries.items() if shown.picture is not None}
        if network is not None:
            add_reconstructions([picture for picture, _ in drawn.values()], network, device)
        return {
            number: make_card(picture, map_range, f"image-{number}", note=shown.note, links=shown.links)
            for number, (picture, shown) in drawn.items()
        }


def _show(result: Result, files: Pictures) -> _Shown:
    """Return what a card needs of a scored image, small."""
    if result.score is None or result.image is None or result.anomaly_map is None:
        return _Shown()
    seen = None if files.seen is None else _shrink(files.seen)
    files.seen = None  # it is a view of the whole source picture
    picture = Picture(
        result.name,
        None,
        result.score,
        result.image,
        result.anomaly_map,
        decision=result.decision or "",
        p_value=result.p_value,
        aspect=picture_aspect(result.box),
        source=seen,
    )
    notes = [] if result.frames is None else [f"Frame {result.frame}, the highest of {len(result.frames)}."]
    if result.decision == "not_applicable" and result.decision_reason:
        notes.insert(0, result.decision_reason[:1].upper() + result.decision_reason[1:])
    links = tuple((words, path) for words, path in (("overlay", files.overlay), ("map", files.map)) if path)
    return _Shown(picture, " ".join(notes), links)


def _shrink(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a copy of a picture ``(C, H, W)``, made smaller."""
    rows, columns = picture.shape[1:]
    shape, _ = shrink_geometry((rows, columns), (0, 0, columns, rows), LONGEST_PICTURE)
    small: npt.NDArray[np.float32] = resize_image(torch.from_numpy(np.ascontiguousarray(picture)), shape).numpy()
    return small.copy()
