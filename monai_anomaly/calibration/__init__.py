# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""From a raw score to a p-value and a decision."""

from __future__ import annotations
