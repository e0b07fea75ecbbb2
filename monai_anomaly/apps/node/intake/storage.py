# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Which objects the receiver takes: SOP classes and transfer syntaxes, as presentation contexts."""

from __future__ import annotations

from pydicom import uid
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import Verification, register_uid  # type: ignore[attr-defined] # made at run time

from monai_anomaly.data.dicom.syntax import DECODERS

__all__ = ["STORAGE_CLASSES", "receiver_contexts"]

RETIRED = {
    "1.2.840.10008.5.1.4.1.1.6": "UltrasoundImageStorageRetired",
    "1.2.840.10008.5.1.4.1.1.3": "UltrasoundMultiFrameImageStorageRetired",
}
"""Still sent by old devices, and unknown to pynetdicom until they are registered."""

STORAGE_CLASSES: tuple[str, ...] = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    *RETIRED,
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.SecondaryCaptureImageStorage,
    uid.XRayAngiographicImageStorage,
)
"""Stills and cines that the reader knows. Objects "for processing" are no pictures and are left out."""


def receiver_contexts() -> list[PresentationContext]:
    """Return the contexts that the receiver accepts: verification, and every class with every syntax that is read."""
    for name, keyword in RETIRED.items():
        register_uid(name, keyword, StorageServiceClass)
    syntaxes = [str(syntax) for syntax in DECODERS]
    return [build_context(Verification), *(build_context(name, syntaxes) for name in STORAGE_CLASSES)]
