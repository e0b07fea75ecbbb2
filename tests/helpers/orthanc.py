# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A real PACS for tests, where one is installed: ``with Orthanc() as pacs: ...``."""

from __future__ import annotations

import pytest

from measurements.node.servers.orthanc import Orthanc, find_orthanc

__all__ = ["Orthanc", "needs_orthanc"]

needs_orthanc = pytest.mark.skipif(
    find_orthanc() is None, reason="Orthanc is not installed (apt-get install orthanc orthanc-dicomweb)"
)
