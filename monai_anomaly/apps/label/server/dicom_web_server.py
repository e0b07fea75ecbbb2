# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The datastore of a DICOMweb server, by MONAI Label's own settings."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dicomweb_client.ext.gcp.session_utils import create_session_from_gcp_credentials
from monailabel.config import settings
from requests import Session

from monai_anomaly.apps.label.dicom_web import DicomWebSource
from monai_anomaly.apps.label.server.datastores import DicomWebStudies

__all__ = ["dicom_web_studies"]


def dicom_web_studies(url: str) -> DicomWebStudies:
    """Return the datastore; series and labels are kept in MONAI Label's cache, in a folder of the server's own.

    Args:
        url: of the DICOMweb services.
    """
    source = DicomWebSource(
        url,
        _session(url),
        settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER,
        qido_prefix=settings.MONAI_LABEL_QIDO_PREFIX,
        wado_prefix=settings.MONAI_LABEL_WADO_PREFIX,
    )
    cache = settings.MONAI_LABEL_DICOMWEB_CACHE_PATH.strip()
    home = Path(cache) if cache else Path.home() / ".cache" / "monai_anomaly" / "label"
    return DicomWebStudies(str(home / hashlib.sha256(url.encode()).hexdigest()[:16]), source)


def _session(url: str) -> Session:
    if "googleapis.com" in url:
        return create_session_from_gcp_credentials()
    session = Session()
    if settings.MONAI_LABEL_DICOMWEB_USERNAME:
        session.auth = (settings.MONAI_LABEL_DICOMWEB_USERNAME, settings.MONAI_LABEL_DICOMWEB_PASSWORD)
    return session
