# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Archives of any size, scored by Ray's workers; only this folder imports Ray, pyarrow and fsspec."""

from __future__ import annotations
