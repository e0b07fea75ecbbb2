# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A generated picture as a DICOM ultrasound image, with the screen's text around the scan region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_anomaly.phantom.dicom import new_dataset
from monai_anomaly.phantom.ultrasound.physics import Probe

__all__ = ["SCREEN_COLUMNS", "SCREEN_ROWS", "make_dataset", "make_screen"]

SCREEN_ROWS = 256
SCREEN_COLUMNS = 320

US_IMAGE = UID("1.2.840.10008.5.1.4.1.1.6.1")
US_MULTI_FRAME = UID("1.2.840.10008.5.1.4.1.1.3.1")


def make_screen(probe: Probe, rng: np.random.Generator) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the screen around the scan region: labels, gray bar, depth scale in centimeters.

    Returns:
        (SCREEN_ROWS, SCREEN_COLUMNS, 3) uint8, 0 in the scan region; (top row, left column) of the region.
    """
    top = int(rng.integers(26, SCREEN_ROWS - probe.rows - 15))
    left = int(rng.integers(30, SCREEN_COLUMNS - probe.columns - 25))
    bottom, right = top + probe.rows, left + probe.columns
    canvas = Image.new("RGB", (SCREEN_COLUMNS, SCREEN_ROWS))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default_imagefont()

    def write(x: int, y: int, text: str) -> None:
        tone = int(rng.integers(150, 230))
        draw.text((x, y), text, fill=(tone, tone, int(0.8 * tone)), font=font)

    write(4, 1, "GENERATED")
    write(110, 1, f"{'C5-2' if probe.convex else 'L12-4'} {rng.integers(20, 61)}Hz")
    write(left, 13, f"MI {rng.uniform(0.4, 1.3):.1f}")
    if rng.random() < 0.6:
        write(left + 50, 13, f"G {rng.integers(30, 90)} DR {rng.integers(45, 80)}")
    if rng.random() < 0.5:
        write(250, 1, ["ABD", "RUQ", "LUQ", "MSK", "NECK"][int(rng.integers(5))])
    write(4, SCREEN_ROWS - 13, f"{probe.depth_cm:.1f}cm")
    if rng.random() < 0.5:
        write(120, SCREEN_ROWS - 13, "RES  PERSIST 2" if rng.random() < 0.5 else "PEN")
    ramp = np.linspace(255, 0, 96).round().astype(np.uint8)
    canvas.paste(Image.fromarray(np.repeat(np.repeat(ramp[:, None, None], 8, 1), 3, 2)), (6, 40))
    for mark in range(int(probe.depth_cm) + 1):
        y = top + round(mark / probe.pixel_cm)
        if y < bottom:
            draw.line((right + 2, y, right + (6 if mark % 5 else 9), y), fill=(170, 170, 170))
            if mark and mark % (5 if probe.depth_cm > 7 else 1) == 0:
                write(right + 11, y - 5, str(mark))
    draw.rectangle((left, top, right - 1, bottom - 1), fill=(0, 0, 0))
    return np.asarray(canvas), (top, left)


def make_dataset(
    frames: NDArray[np.uint8],
    *,
    words: tuple[str, ...],
    patient: str,
    number: int,
    probe: Probe,
    corner: tuple[int, int],
) -> Dataset:
    """Return a DICOM data set of a generated image or cine.

    Args:
        frames: (rows, columns) gray, (rows, columns, 3) RGB, or (frames, rows, columns) gray cine.
        words: what the instance's UIDs are made of.
        patient: number of the made-up patient.
        number: instance number.
        probe: geometry of the scan.
        corner: top row and left column of the scan region.
    """
    color = frames.shape[-1] == 3
    cine = frames.ndim == 3 and not color
    series = "cine" if cine else "color" if color else "gray"
    sop_class = US_MULTI_FRAME if cine else US_IMAGE
    data = new_dataset(sop_class, "US", words=words, patient=patient, series=series, number=number)
    data.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    data.SeriesNumber = 1 + cine + 2 * color
    data.Laterality = data.PatientOrientation = ""
    data.SequenceOfUltrasoundRegions = [_region(probe, corner)]
    _add_pixels(data, frames, color=color, cine=cine)
    return data


def _region(probe: Probe, corner: tuple[int, int]) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat = 1  # two-dimensional
    region.RegionDataType = 1  # tissue
    region.RegionFlags = 0
    region.RegionLocationMinY0, region.RegionLocationMinX0 = corner
    region.RegionLocationMaxY1 = corner[0] + probe.rows - 1  # inclusive, PS3.3 C.8.5.5
    region.RegionLocationMaxX1 = corner[1] + probe.columns - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # centimeters
    region.PhysicalDeltaX = region.PhysicalDeltaY = probe.pixel_cm
    region.ReferencePixelX0, region.ReferencePixelY0 = probe.columns // 2, 0
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    return region


def _add_pixels(data: Dataset, frames: NDArray[np.uint8], *, color: bool, cine: bool) -> None:
    data.SamplesPerPixel = 3 if color else 1
    data.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        data.PlanarConfiguration = 0
    data.UltrasoundColorDataPresent = int(color)
    if cine:
        data.NumberOfFrames = frames.shape[0]
        data.FrameTime = "40"
        data.FrameIncrementPointer = 0x00181063
    rows = frames.shape[1:] if cine else frames.shape
    data.Rows, data.Columns = int(rows[0]), int(rows[1])
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    pixels = np.ascontiguousarray(frames).tobytes()
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    data["PixelData"].VR = "OB"
