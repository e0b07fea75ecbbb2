# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""One case of the generated dermoscopy: from the plan to a DICOM data set and the mask of a cancerous lesion."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from monai_anomaly.phantom.plan import Case
from monai_anomaly.phantom.skin.camera import draw_settings, photograph
from monai_anomaly.phantom.skin.dicom import make_dataset
from monai_anomaly.phantom.skin.lesion import LESION_KINDS, LesionKind, draw_lesion

__all__ = ["DERMOSCOPY_VERSION", "LESION_KINDS", "make_dermoscopy"]

DERMOSCOPY_VERSION = 1
"""Counts up with every change of the generator that changes the files, so that an old cache is not taken for new."""


def make_dermoscopy(case: Case, seed: int) -> tuple[Dataset, NDArray[np.uint8] | None]:
    """Make one case.

    Args:
        case: what to make.
        seed: of the data set.

    Returns:
        the DICOM data set; the lesion's mask, 0 and 255, of the image's size, None for a normal, whose lesion is
        benign.
    """
    settings = draw_settings(case.machine_rng(seed), case.view_rng(seed))
    rng = case.image_rng(seed)
    lesion = draw_lesion(rng, settings.mole, cast(LesionKind | None, case.kind))
    picture = photograph(rng, settings, lesion)
    words = (f"skin-{DERMOSCOPY_VERSION}/{seed}", case.name)
    data = make_dataset(picture, words=words, patient=case.patient, number=case.number, settings=settings)
    return data, None if case.kind is None else np.where(lesion.mask, np.uint8(255), np.uint8(0))
