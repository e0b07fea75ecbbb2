# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""What the files of exported detectors say, read without MONAI and without running anything of them."""
