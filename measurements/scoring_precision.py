# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What bfloat16 saves of a detector's forward passes, and how far it moves scores.

``python -m measurements.scoring_precision MODEL.pt DIR`` scores images of a folder in both precisions, in turn, and
prints the processor time of each and the shift of scores in standard deviations of those images' scores.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from measurements.command_line import THREADS_ADVICE, add_json, add_rounds, run_measurement
from measurements.comparison import write_numbers
from monai_anomaly.apps.arguments import count
from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.data.lists.datalist import load_datalist
from monai_anomaly.utils.stopwatch import Stopwatch

__all__ = ["compare_precisions", "main"]


@torch.inference_mode()
def compare_precisions(
    checkpoint: str, folder: str, *, images: int = 64, rounds: int = 8, json_path: str | None = None
) -> dict[str, Any]:
    """Score in both precisions, print and return what differs.

    Args:
        checkpoint: the trained detector.
        folder: of images.
        images: how many of them, at most.
        rounds: times that both are timed, after one that is not.
        json_path: where to write the numbers, if anywhere.
    """
    trained = TrainedDetector.read(Path(checkpoint))
    items = islice(load_datalist(folder, "inference"), images)
    batch = torch.stack([torch.as_tensor(trained.preprocessing(item)["image"]) for item in items])
    network = trained.detector.to(memory_format=torch.channels_last)
    spans: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    scores: dict[str, torch.Tensor] = {}
    for number in range(rounds + 1):
        for precision, taken in spans.items():
            watch = Stopwatch()
            scores[precision] = trained.inferer_in(precision)(batch, network).double().mean((1, 2, 3))
            if number:
                taken.append(watch.read().cpu / len(batch))
    shift = (scores["bfloat16"] - scores["float32"]).abs() / scores["float32"].std()
    result = {
        "images": len(batch),
        **{f"{precision}_ms": 1e3 * statistics.median(taken) for precision, taken in spans.items()},
        "shift_mean": float(shift.mean()),
        "shift_max": float(shift.max()),
    }
    result["speedup"] = result["float32_ms"] / result["bfloat16_ms"]
    print("\n".join(f"{name:12} {value:.4g}" for name, value in result.items()))
    write_numbers(json_path, result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.scoring_precision",
        description="Compare scoring in float32 and bfloat16.",
        epilog=THREADS_ADVICE,
    )
    parser.add_argument("checkpoint", metavar="MODEL.pt", help="the trained detector")
    parser.add_argument("folder", metavar="DIR", help="folder of images")
    parser.add_argument("--images", type=count, default=64, help="most images (default: %(default)s)")
    add_rounds(parser)
    add_json(parser)
    return run_measurement(compare_precisions, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
