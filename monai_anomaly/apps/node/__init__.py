# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The node: takes DICOM objects in, scores them, and sends the results on."""
