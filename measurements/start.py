# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a start costs: ``python -m measurements.start MODEL.pt`` prints the processor's seconds of whole processes.

Each command runs in a process of its own, in turn, and the median of them counts. The detector is also exported, once
with the calibration beside it, if there is one. Imports dominate: the first lines are those of PyTorch and MONAI alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurements.command_line import add_json, run_measurement
from measurements.comparison import write_numbers
from measurements.pictures import write_pictures
from monai_anomaly.apps.arguments import count
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.utils.exceptions import TrainingError

__all__ = ["BAR", "commands", "main", "measure_starts"]

BAR = 6.0
"""Seconds of ``predict`` of one image, at most."""
KINDS = ("pt2", "ts", "onnx")
Commands = Mapping[str, Sequence[str]]


def measure_starts(
    model: str | os.PathLike[str],
    *,
    bundle: str = "embedding",
    rounds: int = 3,
    only: str = "",
    json_path: str | os.PathLike[str] | None = None,
) -> dict[str, list[float]]:
    """Measure the start of each command and print a line for it.

    Args:
        model: a trained detector, with or without ``calibration.json`` beside it.
        bundle: the bundle it is of.
        rounds: processes of each command.
        only: a part of the names of those that are measured.
        json_path: where to write the numbers, if anywhere.

    Returns:
        The seconds of each process, by the command's name.

    Raises:
        TrainingError: when a command fails, with the end of what it printed.
    """
    with tempfile.TemporaryDirectory(prefix="monai_anomaly-start-") as name:
        todo = {name: line for name, line in commands(Path(model), bundle, Path(name)).items() if only in name}
        seconds: dict[str, list[float]] = {name: [] for name in todo}
        for _ in range(rounds):
            for name, line in todo.items():
                seconds[name].append(_cpu_seconds(line))
    for name, spent in seconds.items():
        bar = f"  bar {BAR:g}" if name.startswith("predict") else ""
        print(f"{name:44} {statistics.median(spent):6.2f} s of CPU  ({min(spent):.2f} to {max(spent):.2f}){bar}")
    write_numbers(json_path, seconds)
    return seconds


def commands(model: Path, bundle: str, folder: Path) -> Commands:
    """Return the command lines by name, and make what they need in a folder."""
    write_pictures(folder / "png", 1)
    make_phantom(folder / "phantom", num_train=12, num_val=6, num_test=2, progress=False)
    png, dicom = folder / "png" / "000000.png", next((folder / "phantom" / "test").glob("*.dcm"))
    calibration = model.with_name("calibration.json")
    calibrated = [str(calibration)] if calibration.is_file() else []
    predict = [sys.executable, "-m", "monai_anomaly", "predict"]
    run = [sys.executable, "-m", "monai.bundle", "run"]
    settled = {"uncalibrated": ["--uncalibrated", "True"]}
    if calibrated:
        settled["calibrated"] = ["--calibration", *calibrated]
    lines: dict[str, Sequence[str]] = {
        "import torch": [sys.executable, "-c", "import torch"],
        "import monai.bundle": [sys.executable, "-c", "import monai.bundle"],
        "monai-anomaly --help": [sys.executable, "-m", "monai_anomaly", "--help"],
    }
    for word, options in settled.items():
        for picture, path in (("PNG", png), ("DICOM", dicom)):
            out = str(folder / f"{word} {picture}")
            lines[f"predict {picture}, .pt, {word}"] = [*predict, str(path), out, "--checkpoint", str(model), *options]
    for kind in KINDS:
        exported = folder / f"{kind}.{kind}"
        options = [] if calibrated else settled["uncalibrated"]
        how = ["--calibration", *calibrated] if calibrated else ["--uncalibrated"]
        _cpu_seconds([sys.executable, "-m", "monai_anomaly", "export", str(model), str(exported), *how])
        out = str(folder / f"out of {kind}")
        lines[f"predict PNG, .{kind}"] = [*predict, str(png), out, "--checkpoint", str(exported), *options]
    configs = Path("bundles") / bundle / "configs"
    lines["monai.bundle run, inference of a PNG"] = [
        *(*run, "--config_file", str(configs / "inference.json"), "--checkpoint", str(model)),
        *("--dataset_dir", str(png), "--output_dir", str(folder / "out of monai"), *settled["uncalibrated"]),
    ]
    short = ["--dataset_dir", str(folder / "phantom"), "--max_epochs", "1", "--epoch_length", "1", "--device", "cpu"]
    lines["monai.bundle run training, 1 iteration"] = [
        *(*run, "training", "--config_file", "bundles/sepiad/configs/train.json", *short),
        *("--output_dir", str(folder / "training"), "--ckpt_dir", str(folder / "models")),
    ]
    lines["monai-anomaly train, 1 iteration"] = [
        *(sys.executable, "-m", "monai_anomaly", "train", "sepiad", *short),
        *("--output_dir", str(folder / "training"), "--ckpt_dir", str(folder / "models")),
    ]
    return lines


def _cpu_seconds(line: Sequence[str]) -> float:
    before = os.times()
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    after = os.times()
    if ended.returncode:
        raise TrainingError(f"'{' '.join(line)}' failed: {(ended.stdout + ended.stderr)[-1000:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m measurements.start", description=__doc__)
    parser.add_argument("model", metavar="MODEL.pt", help="a trained detector")
    parser.add_argument("--bundle", default="embedding", help="the bundle it is of (default: %(default)s)")
    parser.add_argument("--rounds", type=count, default=3, help="processes of each (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="PART", help="of the names of what is measured")
    add_json(parser)
    return run_measurement(measure_starts, **vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
