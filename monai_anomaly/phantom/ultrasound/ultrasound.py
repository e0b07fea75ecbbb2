# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One case of the generated ultrasound: from the plan to a DICOM data set and the lesion's mask."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from monai_anomaly.phantom.plan import Case
from monai_anomaly.phantom.ultrasound.anatomy import LESION_KINDS, LesionKind, draw_anatomy, draw_lesion, tissue
from monai_anomaly.phantom.ultrasound.console import acquire, adjust, draw_settings
from monai_anomaly.phantom.ultrasound.dicom import make_dataset, make_screen

__all__ = ["LESION_KINDS", "ULTRASOUND_VERSION", "make_ultrasound"]

ULTRASOUND_VERSION = 3
"""Counts up with every change of the generator that changes the files, so that an old cache is not taken for new."""

_CINE_FRAMES = 5
_STORAGE = ("gray", "gray", "gray", "gray", "gray", "gray", "gray", "gray", "color", "cine")


def make_ultrasound(case: Case, seed: int) -> tuple[Dataset, NDArray[np.uint8] | None]:
    """Make one case.

    Args:
        case: what to make.
        seed: of the data set.

    Returns:
        the DICOM data set; the lesion's mask, 0 and 255, of the image's size, None for a normal.
    """
    view_rng, image_rng = case.view_rng(seed), case.image_rng(seed)
    settings = draw_settings(case.machine_rng(seed), view_rng)
    screen, (top, left) = make_screen(settings.probe, view_rng)
    storage = _STORAGE[int(view_rng.integers(len(_STORAGE)))]
    anatomy = draw_anatomy(case.body_rng(seed), image_rng)
    kind = cast(LesionKind | None, case.kind)
    lesion = None if kind is None else draw_lesion(image_rng, kind, settings.probe, anatomy)

    phases = tuple(0.15 * (frame - _CINE_FRAMES // 2) for frame in range(_CINE_FRAMES)) if storage == "cine" else (0.0,)
    echo = tissue(settings.probe, anatomy, lesion)
    pictures = adjust(acquire(settings, echo, image_rng, phases), settings, middle=len(phases) // 2)
    region = np.s_[top : top + settings.probe.rows, left : left + settings.probe.columns]
    frames = np.repeat(screen[None], len(phases), axis=0)
    for frame, picture in zip(frames, pictures, strict=True):
        frame[region] = picture[..., None]
    if storage != "color":
        frames = np.asarray([np.asarray(Image.fromarray(frame).convert("L")) for frame in frames])
    data = make_dataset(
        frames if storage == "cine" else frames[0],
        words=(f"{ULTRASOUND_VERSION}/{seed}", case.name),
        patient=case.patient,
        number=case.number,
        probe=settings.probe,
        corner=(top, left),
    )
    if lesion is None:
        return data, None
    x, z, _, _ = settings.probe.pixel_grid
    mask = np.zeros(screen.shape[:2], np.uint8)
    mask[region] = 255 * ((lesion.level(x, z) < 1) & settings.probe.inside)
    return data, mask
