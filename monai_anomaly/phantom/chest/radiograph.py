# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One case of the generated radiographs of the chest: from the plan to a DICOM data set and the lesion's mask."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from monai_anomaly.phantom.chest.anatomy import draw_chest
from monai_anomaly.phantom.chest.console import adjust, draw_marker, draw_settings
from monai_anomaly.phantom.chest.dicom import make_dataset
from monai_anomaly.phantom.chest.lesion import LESION_KINDS, LesionKind, add_lesion
from monai_anomaly.phantom.chest.projection import expose, project
from monai_anomaly.phantom.plan import Case

__all__ = ["LESION_KINDS", "RADIOGRAPH_VERSION", "make_radiograph"]

RADIOGRAPH_VERSION = 2
"""Counts up with every change of the generator that changes the files, so that an old cache is not taken for new.

Version 2 added the unlabeled pool; training, validation and test kept their files.
"""

_UID_VERSION = 1
"""What UIDs are made of; counts up when the images themselves change, not when some are added."""

_LEAD = 2.5
"""Attenuation of the letter that marks the side."""


def make_radiograph(case: Case, seed: int) -> tuple[Dataset, NDArray[np.uint8] | None]:
    """Make one case.

    Args:
        case: what to make.
        seed: of the data set.

    Returns:
        the DICOM data set; the lesion's mask, 0 and 255, of the image's size, None for a normal.
    """
    settings = draw_settings(case.machine_rng(seed), case.view_rng(seed))
    body_rng, image_rng = case.body_rng(seed), case.image_rng(seed)
    field = settings.field
    chest = draw_chest(body_rng, image_rng, settings.trunk)
    paths = project(field, settings.trunk, chest)
    mask = None
    if case.kind is not None:
        paths, lesion = add_lesion(image_rng, cast(LesionKind, case.kind), field, chest, paths, settings.seen)
        mask = np.where(lesion, np.uint8(255), np.uint8(0))
    marker = draw_marker(settings)
    dose = expose(
        paths.attenuation() + np.float32(_LEAD) * marker,
        image_rng,
        photons=settings.photons,
        scatter=settings.scatter,
        blur=settings.blur,
        pixel_cm=field.pixel_cm,
    )
    picture = adjust(dose, (paths.body > 0) & settings.seen & (marker == 0), settings)
    words = (f"radiograph-{_UID_VERSION}/{seed}", case.name)
    data = make_dataset(picture, words=words, patient=case.patient, number=case.number, settings=settings)
    return data, mask
