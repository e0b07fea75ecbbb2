# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Operators for MONAI Deploy's App SDK 4.0, which has an environment of its own (``integrations/deploy``)."""
