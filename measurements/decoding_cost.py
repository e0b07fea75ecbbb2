# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``decode_limit`` costs, on the same files in turn: ``python -m measurements.decoding_cost``."""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread

from measurements.mutations.seeds import seeds
from monai_anomaly.data.image_reader import ClinicalImageReader

__all__ = ["main", "make_files", "time_reading"]

LIMITS = (None, 10.0)


def make_files(folder: Path, count: int) -> dict[str, list[Path]]:
    """Write pictures of 256 x 256 as PNG and of 1024 x 1024 as DICOM, without compression."""
    random = np.random.default_rng(0)
    files: dict[str, list[Path]] = {"PNG 256 x 256": [], "DICOM 1024 x 1024": []}
    dataset = dcmread(io.BytesIO(seeds()[5][1]))
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(random.normal(128, 20, (256, 256)).clip(0, 255).astype(np.uint8)).save(path)
        files["PNG 256 x 256"].append(path)
        dataset.Rows = dataset.Columns = 1024
        dataset.PixelData = random.integers(0, 2**dataset.BitsStored, (1024, 1024), np.uint16).tobytes()
        dataset.save_as(folder / f"{number}.dcm")
        files["DICOM 1024 x 1024"].append(folder / f"{number}.dcm")
    return files


def time_reading(files: Sequence[Path], rounds: int) -> dict[float | None, float]:
    """Return the seconds for each file with each limit, the median of rounds that take turns."""
    taken: dict[float | None, list[float]] = {limit: [] for limit in LIMITS}
    for number in range(rounds + 1):
        for limit in LIMITS:
            reader = ClinicalImageReader(decode_limit=limit)
            start = time.perf_counter()
            for path in files:
                reader.read(path)
            if number:  # the first round starts the process
                taken[limit].append((time.perf_counter() - start) / len(files))
    return {limit: statistics.median(values) for limit, values in taken.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print milliseconds for a file without and with ``decode_limit``."""
    parser = argparse.ArgumentParser(prog="python -m measurements.decoding_cost", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="files of each kind (default: 500)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is read (default: 3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="decoding-") as folder:
        for kind, files in make_files(Path(folder), options.count).items():
            without, limited = time_reading(files, options.rounds).values()
            more = 1000 * (limited - without)
            print(f"{kind}: {1000 * without:.2f} ms, with decode_limit {1000 * limited:.2f} ms, {more:+.2f} ms a file")
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
