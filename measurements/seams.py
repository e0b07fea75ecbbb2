# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""How visible the borders of the patches are in what a trained detector restores.

``python -m measurements.seams models/model.pt DATASET_DIR`` prints the
:func:`~monai_anomaly.metrics.seam_ratio.seam_ratio` of the restored images of a data set's section, of the images
themselves, and of what was changed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import Tensor

from measurements.command_line import run_measurement
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.errors import DataListError
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.data.lists.frame_items import expand_frames
from monai_anomaly.data.lists.patient_split import DEFAULT_SHARES
from monai_anomaly.data.lists.section import Section
from monai_anomaly.data.sets.cached import CachedDataset
from monai_anomaly.metrics.seam_ratio import seam_ratio
from monai_anomaly.networks.nets.sagan.sagan import SAGAN
from monai_anomaly.networks.nets.simsid.simsid import SimSID
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["main", "measure_seams"]

_BY_PATCHES = (SAGAN, SimSID)
"""They have ``reconstruct``, and their generator has ``patches``."""

_BATCH_SIZE = 32


def measure_seams(
    checkpoint: str | os.PathLike[str], dataset_dir: str | os.PathLike[str], *, section: str = "test"
) -> dict[str, float]:
    """Seam ratios of a section's images and of what a trained detector makes of them.

    Args:
        checkpoint: a ``model.pt`` or ``checkpoint.pt``, whose spec says how images are prepared.
        dataset_dir: the data set's folder; see :func:`~monai_anomaly.data.lists.datalist.load_datalist`.
        section: of the data set.

    Returns:
        The ratios of the images as ``restored``, of the ``original`` ones, and of the ``difference`` ``|x - G(x)|``.

    Raises:
        CheckpointError: when the checkpoint is missing, damaged or of another architecture.
        ConfigError: when its detector does not work by patches, or its grid is a single patch.
        DataListError: whatever is wrong with the folder, or an empty section.
        ValueError: where a ratio is undefined; see :func:`~monai_anomaly.metrics.seam_ratio.seam_ratio`.
    """
    trained = TrainedDetector.read(checkpoint)
    detector = trained.detector
    if not isinstance(detector, _BY_PATCHES):
        raise ConfigError(
            f"a detector of the kind {type(detector).__name__} has no grid of patches, and so no seams; name a "
            f"checkpoint of {' or '.join(kind.__name__ for kind in _BY_PATCHES)}."
        )
    patches: Any = detector.generator.patches
    if patches.locations == 1:
        raise ConfigError("this detector's grid is a single patch, which has no seams; name one with a larger grid.")
    original = _images(trained, dataset_dir, section)
    restored = _restore(detector, original)
    pictures = {"restored": restored, "original": original, "difference": (original - restored).abs()}
    return {name: seam_ratio(picture, (patches.rows, patches.cols)) for name, picture in pictures.items()}


def _images(trained: TrainedDetector, dataset_dir: str | os.PathLike[str], section: str) -> Tensor:
    """All images of a section as the detector was trained on them, ``(N, C, H, W)``."""
    data = trained.spec.get("data", {})
    split = {
        "seed": data.get("split_seed", 0),
        "split_shares": data.get("split_shares", DEFAULT_SHARES),
        "abnormal_folders": data.get("abnormal_folders", ()),
    }
    items = load_datalist(dataset_dir, section, **split)
    if not items:
        raise DataListError(f"the data set has no images in its section '{section}'; name another section.")
    frames = expand_frames(items, data.get("frames", "middle"), trained.preprocessing.count_frames)
    return CachedDataset(frames, trained.preprocessing).images[:]


def _restore(detector: SAGAN | SimSID, images: Tensor) -> Tensor:
    with eval_mode(detector):  # without gradients, too
        return torch.cat([detector.reconstruct(part) for part in images.split(_BATCH_SIZE)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each ratio and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(prog="python -m measurements.seams", description=__doc__)
    parser.add_argument("checkpoint", metavar="MODEL_PT", help="the checkpoint of a trained detector")
    parser.add_argument("dataset_dir", metavar="DATASET_DIR", help="the folder of a data set")
    parser.add_argument(
        "--section",
        choices=[section.value for section in Section],
        default="test",
        help="of the data set (default: %(default)s)",
    )
    return run_measurement(_print_seams, **vars(parser.parse_args(arguments)))


def _print_seams(**options: Any) -> None:
    for name, ratio in measure_seams(**options).items():
        print(f"{name:10} {ratio:.4f}")


if __name__ == "__main__":
    sys.exit(main())
