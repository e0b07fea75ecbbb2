# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Apps for MONAI Deploy: what they write, and in ``operators`` what imports its App SDK."""
