# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the node knows: instances, jobs, deliveries and verdicts, in SQLite or PostgreSQL."""

from __future__ import annotations
