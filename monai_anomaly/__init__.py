# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Anomaly detection for MONAI: learn from normal images, score new ones."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
