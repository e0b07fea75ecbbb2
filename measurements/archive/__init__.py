# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What ``predict --engine ray`` does with many files, several workers and machines, and deaths."""

from __future__ import annotations
