# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Results as DICOM objects that a hospital's archive takes: structured report, secondary capture, segmentations."""

from __future__ import annotations

from monai_anomaly.dicom_results.dicom_results import DicomResults as DicomResults
from monai_anomaly.dicom_results.errors import DicomResultError as DicomResultError
from monai_anomaly.dicom_results.model_identity import ModelIdentity as ModelIdentity
from monai_anomaly.dicom_results.result_object import KINDS as KINDS
from monai_anomaly.dicom_results.result_object import ResultObject as ResultObject
