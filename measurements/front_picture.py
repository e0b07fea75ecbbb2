# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The picture on the first page: a normal image and one with each kind of lesion, with map, score and decision.

``python -m measurements.front_picture MODEL.pt DIR OUT.jpg``, with a calibrated detector and the phantom's folder. It
takes the first image of each kind in the test section.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

import monai_anomaly as ma

__all__ = ["draw_front_picture"]

SIDE = 200
GAP = 8
CAPTION = 44
BACKGROUND, TEXT, FOUND = (24, 24, 27), (235, 235, 235), (252, 159, 109)


def draw_front_picture(model: Path, data: Path) -> Image.Image:
    """Return images above, the same with the map over them below, and what the detector says of each.

    Args:
        model: a trained detector's file, with its calibration beside it.
        data: folder of a phantom.
    """
    detector = ma.load(model)
    entries = first_of_each_kind(json.loads((data / "dataset.json").read_text(encoding="utf-8"))["test"])
    size = (len(entries) * (SIDE + GAP) + GAP, 2 * (SIDE + GAP) + GAP + CAPTION)
    drawn = Image.new("RGB", size, BACKGROUND)
    for number, (kind, entry) in enumerate(entries.items()):
        result = detector.score(data / entry["image"])
        left = GAP + number * (SIDE + GAP)
        drawn.paste(fit(Image.fromarray(levels(result.picture)), result.box), (left, GAP))
        drawn.paste(fit(result.overlay(), result.box), (left, 2 * GAP + SIDE))
        write(drawn, (left, 3 * GAP + 2 * SIDE), f"{kind}: score {result.score:.2f}, p {result.p_value:.2f}", TEXT)
        color = FOUND if result.decision == "anomalous" else TEXT
        write(drawn, (left, 3 * GAP + 2 * SIDE + 18), str(result.decision), color)
    return drawn


def first_of_each_kind(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the first entry without a lesion, and the first with each kind of lesion."""
    found: dict[str, dict[str, Any]] = {}
    for entry in sorted(entries, key=lambda entry: int(entry["label"])):
        found.setdefault(entry["kind"] if entry["label"] else "no lesion", entry)
    return found


def levels(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return RGB ``(rows, columns, 3)`` of a picture ``(1 or 3, rows, columns)`` with values in [0, 1]."""
    return np.moveaxis(np.broadcast_to(picture * 255 + 0.5, (3, *picture.shape[1:])), 0, -1).astype(np.uint8)


def fit(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return what the network saw of a picture, at the size of a panel, with its aspect."""
    part = picture.crop(box)
    part.thumbnail((SIDE, SIDE))
    panel = Image.new("RGB", (SIDE, SIDE), (0, 0, 0))
    panel.paste(part, ((SIDE - part.width) // 2, (SIDE - part.height) // 2))
    return panel


def write(drawn: Image.Image, place: tuple[int, int], text: str, color: tuple[int, int, int]) -> None:
    """Write one line."""
    ImageDraw.Draw(drawn).text(place, text, fill=color, font=ImageFont.load_default(14))


def main() -> None:
    """Draw it into a file."""
    parser = argparse.ArgumentParser(prog="python -m measurements.front_picture", description=__doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.pt", help="a trained, calibrated detector")
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of the phantom")
    parser.add_argument("output", type=Path, metavar="OUT.jpg")
    options = parser.parse_args()
    draw_front_picture(options.model, options.data).save(options.output, quality=88)


if __name__ == "__main__":
    main()
