# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A trained bundle in the folder of an app of MONAI Label, and files of every kind to send to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
from PIL import Image

import monai_anomaly as ma
from monai_anomaly.bundle import TrainedDetector
from tests.helpers.calibrations import make_calibration
from tests.helpers.dicom_files import make_dataset, make_region, save
from tests.helpers.pictures import make_gray
from tests.helpers.tiny_bundles import Example, bundle_root

__all__ = ["AFFINE", "WRITERS", "put_bundle", "write_files"]

AFFINE = np.array([[-0.5, 0, 0, 20], [0, -0.25, 0, 30], [0, 0, 2, -7], [0, 0, 0, 1]], float)
"""The place of the NIfTI files."""


def put_bundle(app: Path, example: Example) -> Path:
    """Copy a bundle's folder and what a training left into an app, as a user does, and return the bundle's folder."""
    folder = app / "model" / example.bundle
    shutil.copytree(bundle_root(example.bundle), folder, ignore=shutil.ignore_patterns("models", "output"))
    shutil.copytree(example.folder / "models", folder / "models")
    return folder


def put_calibration(model: Path, pictures: list[Path]) -> None:
    """Put a calibration beside a model, of scores around those of some pictures."""
    trained = TrainedDetector.read(model)
    scores = [ma.load(model, device="cpu").score(path).score for path in pictures]
    identity = {"model_hash": trained.model_hash, "spec_hash": trained.spec_hash}
    rules = {"frames": trained.spec["data"]["frames"], "aggregate": "max"}
    values = np.linspace(min(scores) - 0.1, max(scores) + 0.1, 40)
    make_calibration(values, range(40), **identity, **rules).save(model.with_name("calibration.json"))


def write_files(folder: Path, count: int, suffixes: tuple[str, ...] = ()) -> list[Path]:
    """Write `count` pictures of every kind, each of another size, and return their paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for kind, write in WRITERS.items():
        for number in range(count if not suffixes or kind in suffixes else 0):
            pixels = make_gray(60 + 3 * number, 90 - 2 * number, seed=len(paths))
            paths.append(folder / f"{number:02}.{kind}")
            write(paths[-1], pixels, number)
    return paths


def _picture(path: Path, pixels: np.ndarray, number: int) -> None:
    """Every second one is in color, and every third JPEG lies on its side by its EXIF tag."""
    image = Image.fromarray(np.dstack([pixels, pixels[::-1], pixels]) if number % 2 else pixels)
    exif = Image.Exif()
    if path.suffix == ".jpg" and number % 3 == 0:
        exif[0x0112] = 6
    image.save(path, **({"exif": exif} if len(exif) else {}))


def _nifti(path: Path, pixels: np.ndarray, number: int) -> None:
    array = pixels.T if number % 2 else pixels.T[..., None]
    nib.save(nib.Nifti1Image(array, AFFINE), path)


def _itk(path: Path, pixels: np.ndarray, number: int) -> None:
    image = itk.image_from_array(pixels)
    image.SetSpacing([0.3 + number / 100, 0.4])
    itk.imwrite(image, str(path))


def _dicom(path: Path, pixels: np.ndarray, number: int) -> None:
    if number % 4 == 3:  # an ultrasound screen that is cut to its region
        region = make_region((5, 6, pixels.shape[1] - 6, pixels.shape[0] - 7))
        save(path, make_dataset(pixels, Modality="US", SequenceOfUltrasoundRegions=[region]))
    else:
        save(path, make_dataset(pixels, "MONOCHROME1" if number % 2 else "MONOCHROME2"))


WRITERS: dict[str, Callable[[Path, np.ndarray, int], None]] = {
    **dict.fromkeys(("png", "jpg", "bmp", "tif"), _picture),
    **dict.fromkeys(("nii", "nii.gz"), _nifti),
    **dict.fromkeys(("nrrd", "mha"), _itk),
    "dcm": _dicom,
}
"""What writes a file of each kind."""
