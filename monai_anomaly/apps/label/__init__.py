# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""An app for MONAI Label: heat maps and scores, an order to read in, trainings without labels, readers' verdicts."""
