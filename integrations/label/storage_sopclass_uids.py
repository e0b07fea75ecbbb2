# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Give pydicom-seg 0.4.1 the one name that it imports from a module of pydicom which pydicom 3 does not have."""

from __future__ import annotations

from pydicom.uid import SegmentationStorage

__all__ = ["SegmentationStorage"]
