# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``detector.score(file)`` costs a program beyond the network's forward pass, and which part takes it.

``python -m measurements.door_latency --checkpoint M`` measures a warm detector with a PNG of 64 pixels and a DICOM file
of 1024, both generated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pydicom.uid import DigitalXRayImageStorageForPresentation

from measurements.command_line import THREADS_ADVICE, add_json, add_rounds, run_measurement
from measurements.comparison import write_numbers
from monai_anomaly.bundle.anomaly_detector import AnomalyDetector
from monai_anomaly.bundle.loading import load
from monai_anomaly.data.picture_facts import PICTURE_FACTS
from monai_anomaly.phantom.dicom import new_dataset, write_dataset

__all__ = ["PARTS", "main", "time_door"]

PARTS = ("reading", "preprocessing", "guard", "forward", "rest")
"""Decoding to [0, 1]; crop, facts, resizing and intensity; the input guard; the network; and what is left."""

PASSES = 10
"""In a round."""


def time_door(
    checkpoint: str | os.PathLike[str], *, rounds: int = 8, json_path: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Measure both files and print a table.

    Args:
        checkpoint: a trained ``model.pt``, with its calibration beside it or none.
        rounds: how often everything is timed in turn, after one round that is not.
        json_path: where to write the numbers, if anywhere.

    Returns:
        For each file the milliseconds of a score and of its parts (processor time; medians over the rounds), and the
        ratio to the forward pass, the median of the rounds' ratios.

    Raises:
        CheckpointError: when there is no such detector.
    """
    detector = load(checkpoint)
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-door-") as folder:
        files = {"64 px PNG": _write_png(Path(folder)), "1024 px DICOM": _write_dicom(Path(folder))}
        result = {name: _time_file(detector, path, rounds) for name, path in files.items()}
    print(_table(result))
    write_numbers(json_path, result)
    return result


def _time_file(detector: AnomalyDetector, path: str, rounds: int) -> dict[str, float]:
    """Time the whole and its parts in turn; the parts are the same calls that the whole makes."""
    preprocessing, network = detector.trained.preprocessing, detector.trained.detector
    item = preprocessing({"image": path})
    image = item["image"][None].to(detector.device)
    facts = [{key: float(item[key]) for key in PICTURE_FACTS}]
    works: dict[str, Callable[[], object]] = {
        "score": lambda: detector.score(path),
        "reading": lambda: preprocessing.reader.read(path),
        "preprocessing": lambda: preprocessing({"image": path}),  # reading included
        "guard": lambda: None if detector.guard is None else detector.guard.check_all(item["image"][None], facts),
        "forward": lambda: network(image),
    }
    spent: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            with torch.inference_mode(name == "forward"):
                start = _now(detector.device)
                for _ in range(PASSES):
                    work()
                if number:
                    spent[name].append(1e3 * (_now(detector.device) - start) / PASSES)
    ratio = statistics.median(score / forward for score, forward in zip(spent["score"], spent["forward"], strict=True))
    times = {name: statistics.median(values) for name, values in spent.items()}
    times["preprocessing"] -= times["reading"]
    times["rest"] = times["score"] - sum(times[name] for name in PARTS[:-1])
    return {"ratio": ratio, **times}


def _now(device: torch.device) -> float:
    """Return seconds of processor time, which other processes disturb little; of the clock with an accelerator."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _table(result: dict[str, dict[str, float]]) -> str:
    lines = ["                 score   ratio   " + "".join(f"{part:>21}" for part in PARTS)]
    for name, times in result.items():
        parts = "".join(f"{times[part]:>12.2f} ms ({times[part] / times['score']:4.0%})" for part in PARTS)
        lines.append(f"{name:<14}{times['score']:>6.2f} ms {times['ratio']:>7.2f}   {parts}")
    return "\n".join(lines)


def _picture(side: int) -> npt.NDArray[np.float64]:
    """Return a smooth picture with some grain, values 0 to 1."""
    rows, columns = np.mgrid[:side, :side] / side
    grain = np.random.default_rng(0).normal(0, 0.05, (side, side))
    return np.clip(0.5 + 0.3 * np.sin(9 * rows) * np.cos(7 * columns) + grain, 0, 1)


def _write_png(folder: Path) -> str:
    path = folder / "a.png"
    Image.fromarray((255 * _picture(64)).astype(np.uint8)).save(path)
    return str(path)


def _write_dicom(folder: Path) -> str:
    """Write a radiograph of 12 bits, uncompressed, with a window."""
    words = {"words": ("door", "0"), "patient": "1", "series": "1", "number": 1}
    data = new_dataset(DigitalXRayImageStorageForPresentation, "DX", **words)  # type: ignore[arg-type]
    data.Rows = data.Columns = 1024
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.WindowCenter, data.WindowWidth = 2048, 4096
    data.PixelData = (4095 * _picture(1024)).astype("<u2").tobytes()
    data["PixelData"].VR = "OW"
    path = folder / "a.dcm"
    write_dataset(data, path)
    return str(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code, 1 for an error that its message explains."""
    parser = argparse.ArgumentParser(
        prog="python -m measurements.door_latency",
        description="Time the score of one file in a warm process against the network's forward pass.",
        epilog=THREADS_ADVICE,
    )
    default = "bundles/sepiad/models/model.pt"
    parser.add_argument("--checkpoint", metavar="FILE", default=default, help="a detector (default: %(default)s)")
    add_rounds(parser)
    add_json(parser)
    return run_measurement(time_door, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
