# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a file costs from the disk to the tensor: ``python -m measurements.preprocessing_cost``.

PNG of 256 x 256 pixels, DICOM as devices store it, and photographs of 3000 x 2000 as JPEG, at the sizes of the bundles
and by both versions of the preprocessing; in milliseconds of one thread's computing, the least of several rounds in
which everything takes its turn.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from measurements.photographs import write_photograph
from measurements.pictures import write_pictures
from monai_anomaly.phantom.phantom import make_phantom
from monai_anomaly.transforms.preprocessing import VERSIONS, Preprocessing

__all__ = ["main", "make_files", "time_files"]

SIZES = ((64, 1), (64, 3), (128, 1))
"""Image size and channels of the bundles: SEPIAD, SimSID and SAGAN; OCAD; the embedding."""
PHOTOGRAPH = (3000, 2000)


def make_files(
    folder: Path, count: int, photographs: int, shape: tuple[int, int] = PHOTOGRAPH
) -> dict[str, list[Path]]:
    """Write files of every kind.

    Args:
        folder: for them.
        count: of the small ones.
        photographs: of the large ones.
        shape: columns and rows of these.
    """
    write_pictures(folder / "gray", count)
    gray = sorted((folder / "gray").iterdir())
    files = {"PNG, gray, 256 x 256": gray}
    files["PNG, RGB, 256 x 256"] = [_recode(path, folder / f"rgb-{path.name}") for path in gray]
    files["JPEG, gray, 256 x 256"] = [_recode(path, folder / f"{path.stem}.jpg", "L") for path in gray]
    phantom = make_phantom(folder / "phantom", num_train=count, num_val=0, num_test=0, progress=False)
    studies = [path for path in sorted(Path(phantom).rglob("*.dcm")) if _is_still(path)]
    files["DICOM, ultrasound"] = studies
    files["DICOM, ultrasound, JPEG"] = [_compress(path, folder / f"{path.stem}-jpeg.dcm") for path in studies]
    name = f"JPEG, RGB, {shape[0]} x {shape[1]}"
    files[name] = [folder / f"photograph-{number}.jpg" for number in range(photographs)]
    for number, path in enumerate(files[name]):
        write_photograph(path, columns=shape[0], rows=shape[1], seed=number)
    return files


def _recode(path: Path, target: Path, mode: str = "RGB") -> Path:
    with Image.open(path) as picture:
        picture.convert(mode).save(target)
    return target


def _is_still(path: Path) -> bool:
    return int(dcmread(path, specific_tags=["NumberOfFrames"]).get("NumberOfFrames") or 1) == 1


def _compress(path: Path, target: Path) -> Path:
    """Write a DICOM file once more, its pixels as JPEG."""
    dataset = dcmread(path)
    code = io.BytesIO()
    Image.fromarray(np.asarray(dataset.pixel_array)).save(code, "JPEG", quality=90)
    dataset.PixelData = encapsulate([code.getvalue()])
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
        dataset.PlanarConfiguration = 0
    dataset.save_as(target)
    return target


def time_files(files: Sequence[Path], rounds: int) -> dict[tuple[int, int, int], float]:
    """Return milliseconds of computing for each file, by image size, channels and version of the preprocessing."""
    ways = {(*size, version): Preprocessing(*size, version=version) for version in VERSIONS for size in SIZES}
    least: dict[tuple[int, int, int], float] = {}
    for number in range(rounds + 1):
        for way, preprocessing in ways.items():
            start = time.process_time()
            for path in files:
                preprocessing({"image": str(path)})
            taken = 1000 * (time.process_time() - start) / len(files)
            if number:
                least[way] = min(taken, least.get(way, taken))
    return least


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m measurements.preprocessing_cost", description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="small files of each kind (default: 40)")
    parser.add_argument("--photographs", type=int, default=3, help="large JPEG files (default: 3)")
    parser.add_argument("--shape", type=int, nargs=2, default=PHOTOGRAPH, metavar=("COLUMNS", "ROWS"), help="of these")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is read (default: 5)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    heads = [f"{size} px, {channels} ch" for size, channels in SIZES]
    print(f"{'ms a file, version 1 / 2':28}" + "".join(f"{head:>20}" for head in heads))
    with tempfile.TemporaryDirectory(prefix="preprocessing-") as folder:
        for kind, files in make_files(Path(folder), options.count, options.photographs, tuple(options.shape)).items():
            taken = time_files(files, options.rounds)
            cells = [" / ".join(f"{taken[size[0], size[1], version]:.2f}" for version in VERSIONS) for size in SIZES]
            print(f"{kind:28}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
