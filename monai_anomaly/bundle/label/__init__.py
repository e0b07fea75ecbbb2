# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What a bundle needs to run in MONAI Label's own app for bundles, of which nothing is imported here."""
