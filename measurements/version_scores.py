# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How far the scores of both versions of the preprocessing lie apart, on large JPEG files of a site's own pictures.

``python -m measurements.version_scores MODEL.pt DIR`` writes pictures of a folder as photographs of 3000 x 2000 pixels
(as they are, where they are JPEG files with ``--as_they_are``), reads each by both versions, and compares images and
scores of a trained detector.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import torch

from measurements.photographs import enlarge
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.file_kind import SUFFIXES
from monai_anomaly.transforms.preprocessing import VERSIONS, Preprocessing

__all__ = ["compare_versions", "main"]


def compare_versions(model: str | Path, pictures: Sequence[Path]) -> dict[str, float]:
    """Return the differences between both versions.

    Args:
        model: a detector's ``model.pt``.
        pictures: files that it reads.

    Returns:
        ``gray_rms`` and ``gray_max`` of the images in gray levels of 255, before their intensity is normalized;
        ``score_max``, the largest difference of a score; ``score_std``, the standard deviation of the scores; and
        ``score_max_in_std``, the one in units of the other.
    """
    trained = TrainedDetector.read(model)
    settings = dict(trained.spec["preprocessing"])
    whole, reduced = (Preprocessing(**{**settings, "version": version}) for version in VERSIONS)
    squares, largest, scores = [], 0.0, []
    with torch.inference_mode():
        for path in pictures:
            item: dict[Hashable, str] = {"image": str(path)}
            images = [version.prepare(item)["image"] for version in (whole, reduced)]
            difference = 255 * (images[0] - images[1])
            squares.append(float(difference.square().mean()))
            largest = max(largest, float(difference.abs().max()))
            pair = torch.stack([whole.intensity(image) for image in images])
            scores.append(trained.detector(pair).mean((1, 2, 3)).tolist())
    values = np.array(scores)
    score_max, score_std = float(np.abs(values[:, 0] - values[:, 1]).max()), float(values[:, 0].std())
    return {
        "gray_rms": float(np.sqrt(np.mean(squares))),
        "gray_max": largest,
        "score_max": score_max,
        "score_std": score_std,
        "score_max_in_std": score_max / max(score_std, 1e-12),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the differences."""
    parser = argparse.ArgumentParser(prog="python -m measurements.version_scores", description=__doc__)
    parser.add_argument("model", help="a detector's model.pt")
    parser.add_argument("folder", type=Path, help="pictures that Pillow reads; those below are taken, too")
    parser.add_argument("--count", type=int, default=20, help="how many pictures, evenly spaced (default: 20)")
    parser.add_argument("--shape", type=int, nargs=2, default=(3000, 2000), metavar=("COLUMNS", "ROWS"))
    parser.add_argument("--as_they_are", action="store_true", help="the folder's own JPEG files, not enlarged")
    options = parser.parse_args(arguments)
    found = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        parser.error(f"there is no picture in {options.folder}")
    places = np.linspace(0, len(found) - 1, min(options.count, len(found))).round().astype(int)
    chosen = [found[place] for place in places]
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        if not options.as_they_are:
            for number, path in enumerate(chosen):
                chosen[number] = Path(folder) / f"{number}.jpg"
                enlarge(path, chosen[number], columns=options.shape[0], rows=options.shape[1], seed=number)
        for name, value in compare_versions(options.model, chosen).items():
            print(f"{name:18}{value:.6g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
