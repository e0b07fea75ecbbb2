# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A detector's ``.ts`` file in MONAI Deploy's ``MonaiBundleInferenceOperator``: its configuration and transforms.

Nothing here imports the SDK.
"""
