# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The kinds of phantom, and what makes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from monai_anomaly.phantom.chest import radiograph
from monai_anomaly.phantom.chest.radiograph import RADIOGRAPH_VERSION, make_radiograph
from monai_anomaly.phantom.plan import Case
from monai_anomaly.phantom.skin import dermoscopy
from monai_anomaly.phantom.skin.dermoscopy import DERMOSCOPY_VERSION, make_dermoscopy
from monai_anomaly.phantom.ultrasound import ultrasound
from monai_anomaly.phantom.ultrasound.ultrasound import ULTRASOUND_VERSION, make_ultrasound

__all__ = ["Generator", "PhantomKind", "find_generator"]

PhantomKind = Literal["ultrasound", "radiograph", "skin"]


@dataclass(frozen=True)
class Generator:
    """What makes one kind of phantom."""

    make: Callable[[Case, int], tuple[Dataset, NDArray[np.uint8] | None]]
    about: str
    folder: str
    version: int
    lesions: tuple[str, ...]
    most_images: int
    num_val: int
    num_unlabeled: int = 0


GENERATORS: dict[str, Generator] = {
    "ultrasound": Generator(
        make=make_ultrasound,
        about="Generated ultrasound with known lesions; not of persons",
        folder=f"phantom-v{ULTRASOUND_VERSION}",
        version=ULTRASOUND_VERSION,
        lesions=ultrasound.LESION_KINDS,
        most_images=3,
        num_val=40,
    ),
    "radiograph": Generator(
        make=make_radiograph,
        about="Generated chest radiographs with known lesions; not of persons",
        folder=f"phantom-radiograph-v{RADIOGRAPH_VERSION}",
        version=RADIOGRAPH_VERSION,
        lesions=radiograph.LESION_KINDS,
        most_images=2,
        num_val=80,  # so that there are at least 20 healthy patients, of whom a calibration at 5 % needs 19
        num_unlabeled=240,
    ),
    "skin": Generator(
        make=make_dermoscopy,
        about="Generated dermoscopy, of benign lesions and of cancerous ones, which are known; not of persons",
        folder=f"phantom-skin-v{DERMOSCOPY_VERSION}",
        version=DERMOSCOPY_VERSION,
        lesions=dermoscopy.LESION_KINDS,
        most_images=2,
        num_val=80,  # see above
    ),
}


def find_generator(kind: str) -> Generator:
    """Return what makes a kind of phantom.

    Raises:
        ValueError: for an unknown kind.
    """
    if kind not in GENERATORS:
        raise ValueError(f"kind must be one of {', '.join(GENERATORS)}, got {kind!r}.")
    return GENERATORS[kind]
