# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Servers that a measurement or a test starts for itself, each in a folder of its own, and that end with it."""
