# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""The pages for people and the addresses for machines: worklist, cases, numbers, health, metrics, scoring."""

from __future__ import annotations
