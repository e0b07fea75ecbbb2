# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""A trained detector as one file that needs neither its bundle nor MONAI's configuration: .pt2, .ts or .onnx."""
