# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The DICOM objects of a bundle's inference, where they are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from monai_anomaly.bundle.trained_detector import TrainedDetector
from monai_anomaly.calibration.calibration import Calibration
from monai_anomaly.handlers.scoring.dicom_files import DicomFiles
from monai_anomaly.scoring.source_pictures import SourcePictures
from monai_anomaly.utils.uid_root import check_uid_root

if TYPE_CHECKING:
    from monai_anomaly.dicom_results.dicom_results import DicomResults

__all__ = ["dicom_files"]


def dicom_files(
    wanted: bool,
    trained: TrainedDetector,
    items: Iterable[Mapping[str, Any]],
    sources: SourcePictures,
    map_range: tuple[float, float],
    uid_root: str = "",
) -> DicomFiles | None:
    """Return what writes the DICOM objects of an inference.

    Args:
        wanted: whether they are; None is returned where not.
        trained: the detector.
        items: the data list.
        sources: gives the source pictures.
        map_range: the map values of the first and the last color.
        uid_root: the site's own root for UIDs; empty for none.

    Raises:
        ConfigError: for a root that is none.
    """
    check_uid_root(uid_root)

    def make(calibration: Calibration | None) -> DicomResults:
        from monai_anomaly.bundle.model_identity import model_identity  # highdicom takes half a second
        from monai_anomaly.dicom_results.dicom_results import DicomResults

        low, high = map_range
        return DicomResults(model_identity(trained, calibration, (float(low), float(high)), uid_root=uid_root))

    return DicomFiles(make, items, sources) if wanted else None
